"""Write a site into a folder, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from harness.core.errors import CannotWriteError, HarnessError
from harness.core.files import write_whole
from scoring.site.badge import badge_svg, bibtex
from scoring.site.boards import Board, Options, make_boards
from scoring.site.causes import cause_data, has_causes
from scoring.site.curves import by_trial, curves_of
from scoring.site.data import board_data, entry_data
from scoring.site.material import Material
from scoring.site.pages import Pages, make_environment, retired_page
from scoring.site.pairs import has_intervals, pair_data, settled_bits
from scoring.site.scripts import script
from scoring.site.tables import board_tables, table_files
from scoring.speedup import check_reference

SITE_FILE = "site.json"
"""A file that identifies a folder as a site, which may be overwritten."""
FRONT_ASSETS = ("site.css", "site.js", "board.js")
"""The files in `assets/` that a board's front page loads."""


def write_site(material: Material, options: Options, out: Path, *, date: str, version: str) -> Path:
    """Write the pages of all boards; returns the index page.

    Args:
        material: the site's data.
        options: how boards are scored.
        out: a folder that does not exist, is empty, or is already a site.
        date: today's date, `YYYY-MM-DD`; a board keeps one state per date.
        version: the harness's version.

    Raises:
        HarnessError: the folder holds something else or cannot be written, or no board has the
            reference.
    """
    _check_folder(out)
    boards = make_boards(material, options)
    check_reference(options.reference, {name for board in boards for name in board.entries})
    for board in boards:
        pages, written = Pages(board, material, date, version), set[Path]()
        for name, text in board_files(pages, options, out):
            _write(path := out / board.layout.folder / name, text)
            written.add(path)
        _retire(out / board.layout.folder, written, retired_page(board.title, date, version))
    _retire_boards(out, {board.layout.folder for board in boards}, date, version)
    for name, text in _assets():
        write_whole(out / "assets" / name, text)
    write_whole(out / SITE_FILE, json.dumps({"date": date, "version": version}) + "\n")
    index = out / "index.html"
    write_whole(index, _index(boards, material, date, version))
    return index


def _check_folder(out: Path) -> None:
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not is_site(out))):
        raise HarnessError(
            f"'{out}' is not empty and not the folder of a site",
            "name a new folder, or one that `harness site` wrote: harness site STORE --out site/",
        )


def _write(path: Path, text: str) -> None:
    """Write a page without flushing it to disk: there are thousands, and they can be redone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotWriteError(f"cannot write {path}: {error}", "free some space") from error


def _retire(folder: Path, written: set[Path], page: str) -> None:
    """Replace the pages of what an earlier site showed and this one does not; remove its data.

    The states of earlier dates, which keep what they showed, still link to those pages.
    """
    for part in ("s", "w", "data", "tables"):
        for path in sorted((folder / part).rglob("*.*")):
            if path in written or not path.is_file():
                continue
            if path.suffix == ".html":
                _write(path, page)
            else:
                path.unlink()


def _retire_boards(out: Path, shown: set[str], date: str, version: str) -> None:
    """The same for boards of which nothing is shown any more."""
    for index in sorted(out.glob("*/index.html")):
        folder = index.parent
        if folder.name in shown or not (folder / "dated").is_dir():
            continue
        _retire(folder, set(), retired_page(folder.name, date, version))
        dates = sorted((state.name for state in (folder / "dated").iterdir()), reverse=True)
        _write(index, retired_page(folder.name, date, version, dates))
        for name in ("pair.html", "trial.html", "badge.svg", "board.bib"):
            (folder / name).unlink(missing_ok=True)


def is_site(folder: Path) -> bool:
    """Whether a folder was written by `write_site`."""
    return (folder / SITE_FILE).is_file()


def board_files(pages: Pages, options: Options, out: Path) -> Iterator[tuple[str, str]]:
    """The files of a board, by file name in its folder; the front page comes last."""
    board, material = pages.board, pages.material
    curves = by_trial(material.curves)
    for column in board.columns:
        yield board.layout.workload(column), pages.workload(column)
    for entry in pages.by_entry:
        trials, slug = pages.by_entry[entry], board.layout.entries[entry]
        yield board.layout.submission(entry), pages.submission(entry)
        yield (
            f"data/e/{slug}.js",
            script("entry", slug, entry_data(trials, pages.counted_identities, material)),
        )
        for name, part in trials.groupby("column"):
            key = f"{slug}/{board.layout.columns[str(name)]}"
            yield f"data/c/{key}.js", script("curves", key, curves_of(part, curves))
    yield "pair.html", pages.shell("pair", "Two entries")
    yield "trial.html", pages.shell("trial", "A trial")
    yield from _pair_files(board, options)
    yield from _cause_files(board)
    yield from _front_files(pages, out)


def _pair_files(board: Board, options: Options) -> Iterator[tuple[str, str]]:
    for clock, view in board.views.items():
        if not has_intervals(view):
            continue
        names = view.board.times.submissions
        for name, row in zip(names, pair_data(view, options.draws), strict=True):
            slug = board.layout.entries[name]
            yield f"data/p/{clock}/{slug}.js", script("pairs", f"{clock}/{slug}", row)


def _cause_files(board: Board) -> Iterator[tuple[str, str]]:
    view = board.views.get("seconds")
    if view is None or not has_causes(view):
        return
    for name, row in zip(view.board.times.submissions, cause_data(board, view), strict=True):
        slug = board.layout.entries[name]
        yield f"data/a/{slug}.js", script("causes", slug, row)


def _front_files(pages: Pages, out: Path) -> Iterator[tuple[str, str]]:
    """The front page with its data and tables, and a permanent copy under today's date."""
    board = pages.board
    tables = board_tables(board, pages.material)
    common_files: dict[str, str] = {
        "data/board.js": script("board", "", board_data(board, pages.material))
    }
    for clock, view in board.views.items():
        common_files[f"data/settled-{clock}.js"] = script("settled", clock, settled_bits(view))
    texts: dict[str, str] = {}
    for name, text in table_files(tables):
        texts[f"tables/{name}"] = text
    common_files |= _shown_elsewhere(board, pages)
    entry_tables = {
        name: text for name, text in texts.items() if "/entries" in name or "/times" in name
    }
    stays = sorted({name.removeprefix("tables/").rpartition(".")[0] for name in entry_tables})
    yield from common_files.items()
    yield from texts.items()
    date = pages.date
    under = f"dated/{date}/"
    for name, text in (common_files | entry_tables).items():
        yield under + name, text
    # With the scripts that it was written for: later ones may expect other columns.
    for name, text in _assets():
        if name in FRONT_ASSETS:
            yield f"{under}assets/{name}", text
    yield f"{under}index.html", pages.front(stays, [], is_dated=True)
    folder = out / board.layout.folder / "dated"
    earlier = {item.name for item in folder.iterdir()} if folder.is_dir() else set()
    yield "index.html", pages.front(sorted(tables), sorted(earlier | {date}, reverse=True))


def _shown_elsewhere(board: Board, pages: Pages) -> dict[str, str]:
    view = board.views.get("seconds")
    best = "no score"
    if view is not None:
        names = [view.board.times.submissions[row] for row in view.order()]
        ranks = None if view.ranking is None else view.ranking.ranks
        first = [n for n in names if ranks is None or ranks[view.board.times.index(n)] == 1]
        best = "screening" if ranks is None else ", ".join(first[:3]) + (
            f" and {len(first) - 3} more" if first[3:] else ""
        )  # fmt: skip
    key = f"guided-descent-{board.layout.folder}-{pages.date}"
    return {
        "badge.svg": badge_svg(board.title, best),
        "board.bib": bibtex(board.title, pages.date, pages.version, len(board.entries), key),
    }


def _index(boards: tuple[Board, ...], material: Material, date: str, version: str) -> str:
    page = make_environment().get_template("index.html")
    return page.render(
        root="", date=date, version=version, gaps=material.gaps, changes=material.changes,
        boards=[_card(board) for board in boards],
    )  # fmt: skip


def _card(board: Board) -> dict[str, object]:
    view = board.views.get("seconds")
    best = []
    for row in view.order()[:5] if view else []:
        name = view.board.times.submissions[row] if view else ""
        rank = "" if view is None or view.ranking is None else f"{view.ranking.ranks[row]}."
        href = f"{board.layout.folder}/{board.layout.submission(name)}"
        score = f"{view.board.scores[row]:.3f}" if view else ""
        best.append({"name": name, "rank": rank, "href": href, "score": score})
    state = "No score: a rule refuses it." if board.refusal else ""
    summary = f"Entries: {len(board.entries)}. Workloads: {len(board.columns)}. "
    summary += f"Trials: {len(board.frame):,}. {state}"
    href = f"{board.layout.folder}/index.html"
    return {"title": board.title, "href": href, "summary": summary, "best": best}


def _assets() -> Iterator[tuple[str, str]]:
    for item in files("scoring.site").joinpath("assets").iterdir():
        if item.is_file():
            yield item.name, item.read_text(encoding="utf-8")
