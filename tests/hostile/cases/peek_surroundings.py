"""Looks for the workload's name and for orders to its parent in all that is around a process."""

import os
import sys
from pathlib import Path

from .honest import Honest, succeed

NAMES = ("workload=mlp", "/mlp/")


def read(file: Path) -> str:
    """What a file says; nothing if it is not there for this process."""
    try:
        return file.read_text()
    except (FileNotFoundError, PermissionError):
        return ""


def look(environment: dict[str, str]) -> list[str]:
    """Where the name is found."""
    texts = {"environment": repr(sorted(environment.items())), "arguments": repr(sys.argv)}
    texts["folder"] = str(Path.cwd())
    for number in (os.getpid(), os.getppid()):
        for name in ("environ", "cmdline"):
            file = Path(f"/proc/{number}/{name}")
            texts[f"{name} of {number}"] = read(file)
    texts["mounts"] = Path("/proc/self/mountinfo").read_text()
    for number in (0, 1, 2, 3):
        texts[f"file {number}"] = str(Path(f"/proc/self/fd/{number}").readlink())
    return [where for where, text in texts.items() if any(name in text for name in NAMES)]


def orders() -> list[str]:
    """Which functions up to the program's first one hold what the parent was told."""
    frame, found = sys._getframe().f_back, []
    while frame:
        values = [v for v in frame.f_locals.values() if isinstance(v, (str, bytes, dict))]
        if any("scratch" in str(value) for value in values):
            found.append(frame.f_code.co_qualname)
        frame = frame.f_back
    return found


class Submission(Honest):
    def act(self) -> None:
        if found := look(dict(os.environ)):
            succeed(f"the name stands in {', '.join(found)}")
        if found := orders():
            succeed(f"an order stands in {', '.join(found)}")
