"""The sources of `harness site`: folders of records, bundles, boards."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.board_log import BoardEvent, BundleAdded, BundleSuperseded, EntryMarked
from harness.cli.boards import BoardFolder
from harness.cli.bundles import STORE, SUBMISSIONS, unpack_bundle
from harness.cli.site_records import BoardEntry, Standings, read_material
from harness.core.errors import HarnessError
from harness.record.plain import Line
from harness.record.schema.audited import TrialAudited
from harness.record.standing import EntryKey, Standing, times_text
from harness.record.store import read_record, record_paths

if TYPE_CHECKING:
    from scoring.site.material import Change, Gap, Material


@dataclass(frozen=True)
class SiteSource:
    """The material of a site, and the rules that a board's bundles may break."""

    material: Material
    allow: tuple[str, ...] = ()


@dataclass
class _Places:
    """The locations of everything that is shown."""

    stores: list[Path] = field(default_factory=list)
    code: dict[str, Path] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    own: set[Path] = field(default_factory=set)
    audits: list[TrialAudited] = field(default_factory=list)
    standings: dict[EntryKey, Standing] = field(default_factory=dict)
    withdrawn: dict[BoardEntry, str] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    allow: list[str] = field(default_factory=list)

    def add_bundle(self, folder: Path) -> None:
        """Add an unpacked bundle."""
        self.stores.append(folder / STORE)
        self.code |= {path.name: path for path in (folder / SUBMISSIONS).glob("*")}


def read_sources(sources: Sequence[Path], stack: ExitStack) -> SiteSource:
    """Read all sources; an unreadable one becomes a gap, a missing one is an error.

    Args:
        sources: folders of records, bundles, boards.
        stack: keeps bundles unpacked until the pages are written.

    Raises:
        HarnessError: a source does not exist.
    """
    places = _Places()
    for source in sources:
        if not source.exists():
            raise HarnessError(
                f"there is no folder or bundle '{source}'",
                "make one: harness run --workload mlp --submission adamw --out OUT",
            )
        if source.is_file():
            _add_bundle(places, source, stack)
        elif BoardFolder(source).is_board:
            _add_board(places, BoardFolder(source))
        else:
            places.stores.append(source)
            places.own.add(source)
    material = read_material(
        places.stores,
        code=places.code,
        changes=tuple(sorted(places.changes, key=lambda change: change.at, reverse=True)),
        standings=Standings(
            tuple(places.audits), frozenset(places.own), places.standings, places.withdrawn
        ),
        gaps=tuple(places.gaps),
    )
    return SiteSource(material, tuple(dict.fromkeys(places.allow)))


def _add_bundle(places: _Places, bundle: Path, stack: ExitStack) -> None:
    from scoring.site.material import Gap

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    try:
        unpack_bundle(bundle, folder)
    except HarnessError as error:
        places.gaps.append(Gap(bundle.name, str(error)))
        return
    places.add_bundle(folder)


def _add_board(places: _Places, board: BoardFolder) -> None:
    from scoring.site.material import Gap

    try:
        lines, active = board.lines(), board.active()
    except HarnessError as error:
        places.gaps.append(Gap(board.path.name, str(error)))
        return
    for name, bundle in active.items():
        places.add_bundle(board.folder(name))
        places.allow += bundle.allow
    places.changes += [_change(line) for line in lines]
    places.audits += board.audits()
    places.standings |= board.standings()
    for name, event in board.withdrawn_bundles().items():
        for path in record_paths(board.folder(name) / STORE):
            places.withdrawn[BoardEntry.of(read_record(path).trial)] = event.reason


def _change(line: Line[BoardEvent]) -> Change:
    from scoring.site.material import Change

    event = line.data
    if isinstance(event, TrialAudited):
        text = f"audited on {event.workload}: {event.verdict}"
        return Change(line.at, text, event.submission, times_text(event))
    if isinstance(event, EntryMarked):
        return Change(line.at, f"marked {event.mark}", event.submission, event.reason)
    subject = event.bundle[:12]
    if isinstance(event, BundleAdded):
        note = f"allowed to break: {', '.join(event.allow)}" if event.allow else ""
        return Change(line.at, "added", f"{subject}: {', '.join(event.entries)}", note)
    by = f" by {event.by[:12]}" if isinstance(event, BundleSuperseded) else ""
    return Change(line.at, event.kind + by, subject, event.reason)
