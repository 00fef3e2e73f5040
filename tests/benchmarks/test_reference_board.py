"""`make board`: what it runs in which order, and that it stops in time."""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType

import pytest

from harness.analysis.reference_board import board_name
from harness.plan.plan import plan
from harness.providers.registry import submission_folders, suite
from tests.record.conftest import SampleStore

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import reference_board

    module: ModuleType = reference_board
    return module


def test_everything_has_one_study_before_anything_has_two(board: ModuleType) -> None:
    parts, workloads = list(board.parts()), suite(board.SUITE).workloads
    first = len(submission_folders()) * len(workloads)
    assert [part.submission for part in parts[:: len(workloads)]][:14] == list(board.STUDIED)
    assert {part.studies for part in parts[:first]} == {1}
    assert {(part.submission, part.workload) for part in parts[:first]} == {
        (name, workload) for name in submission_folders() for workload in workloads
    }
    assert [part.studies for part in parts[first:]] == [
        count for count in (2, 3) for _ in board.STUDIED for _ in workloads
    ]


def test_those_with_three_studies_ship(board: ModuleType) -> None:
    assert set(board.STUDIED) <= set(submission_folders())
    assert len(set(board.STUDIED)) == 14


def test_nothing_is_begun_that_might_not_end_in_time(
    board: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board.LimitedRuns, "plan", lambda _, request: plan(request))
    part = board.Part("adamw", "mlp", 1)
    reference = board.Board(board.LimitedRuns(tmp_path / "store", time.monotonic() + 20.0))
    reference.run(part)
    assert reference.remaining == [part]
    assert not list((tmp_path / "store").glob("mlp/*"))


def test_it_writes_the_board_that_ships_and_a_bundle(
    board: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "whole_studies", lambda frame, _: frame)
    reference = SampleStore(tmp_path / "store")
    board.finish(reference.store, tmp_path)
    assert (tmp_path / board_name(board.SUITE, board.FRAMEWORK)).stat().st_size > 0
    assert (tmp_path / "store.tar.gz").stat().st_size > 0


def test_no_board_is_written_of_studies_that_lack_a_workload(
    board: ModuleType, tmp_path: Path
) -> None:
    reference = SampleStore(tmp_path / "store")
    board.finish(reference.store, tmp_path)
    assert not (tmp_path / board_name(board.SUITE, board.FRAMEWORK)).exists()
    assert (tmp_path / "store.tar.gz").exists()
