"""What the kernel says of this process and of others."""

from __future__ import annotations

from pathlib import Path


def has_capability(number: int) -> bool:
    """Whether this process has a right of root's; containers often take some away."""
    lines = Path("/proc/self/status").read_text().splitlines()
    rights = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    return bool(rights >> number & 1)


def is_running(marker: str) -> list[int]:
    """The processes of this machine with a marker among their arguments."""
    numbers = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if marker.encode() in arguments:
            numbers.append(int(file.parent.name))
    return numbers
