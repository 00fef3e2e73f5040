"""Tables of a page, between two marks that name the benchmark that writes them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

Row = Sequence[str]


def markdown(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    """The lines of a table, and an empty line."""
    for line in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(line)} |"
    yield ""


def percent(fraction: float) -> str:
    """A fraction as a percentage with one decimal."""
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


def add_flags(parser: argparse.ArgumentParser, store: Path, records: Path) -> None:
    """Add the flags of a benchmark that runs trials for a table.

    Args:
        parser: gets `--store`, `--time-limit`, `--json` and `--write`.
        store: the default folder of the trials' records.
        records: the default file for the finished part of the table.
    """
    parser.add_argument("--store", type=Path, default=store)
    parser.add_argument("--time-limit", type=float, default=3600.0, help="seconds")
    parser.add_argument("--json", type=Path, default=records, help="what is whole of the table")
    parser.add_argument("--write", type=Path, help="the page that has the table")


def show(lines: Iterable[str], name: str, page: Path | None) -> None:
    """Print a table, and write it between its marks of a page if one is given."""
    text = "\n".join(lines)
    print(text)
    if page is not None:
        write(page, name, text)
