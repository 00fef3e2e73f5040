"""A ledger answers for one trial without reading all of it, and as if it had."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from harness.plan.plan import PlanRequest, plan
from harness.record.chain import BrokenChainError, chain_of, last_line
from harness.record.ledger import Ledger
from harness.record.line_index import LineIndex
from harness.record.log import EventLog
from harness.record.schema.ledger import AttemptBegun, Reopened

TRIALS = plan(PlanRequest("mlp", "adamw", trials=3)).trials
IDS = [trial.identity for trial in TRIALS]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Of three trials, two attempts of the second."""
    own_ledger = Ledger(tmp_path)
    own_ledger.plan(TRIALS)
    for attempt in (1, 2):
        own_ledger.note(AttemptBegun(identity=IDS[1], attempt=attempt))
    return own_ledger


def test_entries_of_a_trial_are_those_of_the_whole_ledger(ledger: Ledger) -> None:
    for identity in IDS:
        whole = [entry for entry in ledger.entries() if entry.identity == identity]
        assert ledger.entries_of(identity) == whole
    assert [ledger.attempts(identity) for identity in IDS] == [0, 2, 0]
    assert ledger.entries_of("0" * 64) == []


def test_what_another_process_appends_is_seen(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.attempts(IDS[0]) == 0
    Ledger(tmp_path).note(AttemptBegun(identity=IDS[0], attempt=1))
    assert ledger.attempts(IDS[0]) == 1


def test_a_trial_is_planned_once(ledger: Ledger, tmp_path: Path) -> None:
    Ledger(tmp_path).plan(TRIALS)
    assert len(ledger.entries()) == len(TRIALS) + 2


def test_a_reason_that_looks_like_an_identity_is_none(ledger: Ledger, tmp_path: Path) -> None:
    reason = f'"identity":"{IDS[2]}"'
    entry = Reopened(identity=IDS[1], attempt=2, state="crashed", events="", reason=reason)
    ledger.note(entry)
    assert ledger.entries_of(IDS[1])[-1] == entry
    assert len(ledger.entries_of(IDS[2])) == 1


def test_an_entry_that_was_changed_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"attempt":2', b'"attempt":9'))
    with pytest.raises(BrokenChainError, match="does not match its hash"):
        Ledger(tmp_path).attempts(IDS[1])


@pytest.mark.parametrize("fragment", [b"", b'{"at":'])
def test_the_last_whole_line_is_found_behind_long_ones(tmp_path: Path, fragment: bytes) -> None:
    path = tmp_path / "log.jsonl"
    with closing(EventLog(path)) as log:
        for length in (10, 20_000):
            log.append(
                Reopened(
                    identity=IDS[0], attempt=1, state="crashed", events="", reason="x" * length
                )
            )
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + fragment)
    assert last_line(path) == (chain_of(path.read_bytes(), path)[-1], size)


def test_a_file_that_became_shorter_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    line = b'{"identity":"%s"}\n'
    path.write_bytes(line % (b"a" * 64) + line % (b"b" * 64))
    index = LineIndex(path)
    assert index.has("b" * 64)
    path.write_bytes(line % (b"c" * 64))
    assert (index.has("b" * 64), index.has("c" * 64)) == (False, True)
