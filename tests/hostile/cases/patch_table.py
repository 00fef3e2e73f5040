"""Puts a clock that stands into the tables of symbols that its own process calls through."""

import struct
from collections.abc import Iterator
from pathlib import Path

from .honest import Honest
from .machine_code import STOPPED, overwrite, place_code

SECTION, RELOCATION, SYMBOL = struct.Struct("<IIQQQQIIQQ"), struct.Struct("<QQq"), 24
RELA, POSITION_INDEPENDENT = 4, 3


def list_mapped_files() -> dict[str, int]:
    """The files that this process has mapped, each with its lowest address."""
    bases: dict[str, int] = {}
    for line in Path("/proc/self/maps").read_text().splitlines():
        place = line.split(maxsplit=5)
        if len(place) == 6 and place[5].startswith("/"):
            bases.setdefault(place[5], int(line.partition("-")[0], 16))
    return bases


def entries(file: bytes, symbol: bytes) -> Iterator[int]:
    """Where a file's tables have a symbol's address, from its base on."""
    start, count = struct.unpack_from("<Q", file, 40)[0], struct.unpack_from("<H", file, 60)[0]
    sections = [SECTION.unpack_from(file, start + 64 * n) for n in range(count)]
    for _, kind, _, _, offset, size, link, *_ in sections:
        if kind != RELA or not link:
            continue
        symbols, names = sections[link][4], sections[sections[link][6]][4]
        for at in range(offset, offset + size, RELOCATION.size):
            place, what, _ = RELOCATION.unpack_from(file, at)
            (name,) = struct.unpack_from("<I", file, symbols + SYMBOL * (what >> 32))
            if file.startswith(symbol + b"\0", names + name):
                yield place


def attack() -> None:
    stopped = struct.pack("<Q", place_code(STOPPED))
    for name, base in list_mapped_files().items():
        if "python" not in Path(name).name or not (path := Path(name)).is_file():
            continue
        file = path.read_bytes()
        shift = base if struct.unpack_from("<H", file, 16)[0] == POSITION_INDEPENDENT else 0
        for place in entries(file, b"clock_gettime"):
            overwrite(shift + place, stopped)


class Submission(Honest):
    def act(self) -> None:
        attack()
