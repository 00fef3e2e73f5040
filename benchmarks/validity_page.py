"""Tables of a page, between two marks that say what writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

Row = Sequence[str]


def markdown(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    """The lines of a table, and an empty one."""
    for line in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(line)} |"
    yield ""


def percent(fraction: float) -> str:
    """A fraction with a decimal of its hundredths."""
    return f"{100 * fraction:.1f} %"


def write(page: Path, name: str, text: str) -> None:
    """Put a text between the marks `<!-- NAME: begin -->` and `<!-- NAME: end -->` of a page.

    Raises:
        SystemExit: the page lacks one of them.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, first, rest = page.read_text(encoding="utf-8").partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise SystemExit(f"{page} has no line {begin} with {end} after it")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
