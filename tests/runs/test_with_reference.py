"""The reference before and after each study of a submission, also where a run was interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Trial
from harness.record.imported import PublishedEvaluation, write_imported
from harness.record.plan import unfinished_trials
from harness.runs.with_reference import with_reference
from tests.kit import write_submission


class ReferenceRun:
    """A submission on `mlp`, with the reference in between, in a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "store"
        self.submission = str(write_submission(folder / "mine"))

    def missing(self, **counts: Any) -> list[Trial]:
        """What would run now, in its order."""
        request = PlanRequest("mlp", self.submission, **counts)
        return list(
            unfinished_trials(with_reference(plan(request), request, self.store).trials, self.store)
        )


def write_ends(store: Path, trials: Sequence[Trial], seconds: float = 10.0) -> None:
    """Write records of trials that reach their target, one after the other."""
    for trial in trials:
        hit = PublishedEvaluation(100.0, seconds, trial.target.value)
        write_imported(store, trial, [hit], "a test")


def names(trials: Sequence[Trial]) -> str:
    """`A1.2` is the second trial of adamw's first study, `M` the submission's."""
    return " ".join(f"{t.submission.name[0].upper()}{t.study}.{t.trial}" for t in trials)


@pytest.fixture
def reference_run(tmp_path: Path) -> ReferenceRun:
    return ReferenceRun(tmp_path)


@pytest.mark.parametrize(
    ("counts", "order"),
    [
        ({}, "A1.1 M1.1 M1.2 M1.3 A1.2 A1.3"),
        ({"studies": 2}, "A1.1 M1.1 M1.2 M1.3 A1.2 M2.1 M2.2 M2.3 A1.3 A2.1 A2.2 A2.3"),
        ({"trials": 1}, "A1.1 M1.1 A2.1"),
        ({"trials": 4}, "A1.1 M1.1 M1.2 M1.3 A1.2 M1.4 A1.3 A1.4"),
    ],
)
def test_each_study_lies_between_two_trials_of_the_reference(
    reference_run: ReferenceRun, counts: dict[str, int], order: str
) -> None:
    assert names(reference_run.missing(**counts)) == order


@pytest.mark.parametrize(
    ("num_done", "rest"),
    [
        (1, "A1.2 M1.1 M1.2 M1.3 A1.3"),
        (2, "A1.2 M1.2 M1.3 A1.3"),
        (4, "A1.2 A1.3"),
        (5, "A1.3"),
        (6, ""),
    ],
)
def test_an_interrupted_run_goes_on_with_the_reference_first(
    reference_run: ReferenceRun, num_done: int, rest: str
) -> None:
    write_ends(reference_run.store, reference_run.missing()[:num_done])
    assert names(reference_run.missing()) == rest


def test_what_ended_without_the_reference_is_refused(reference_run: ReferenceRun) -> None:
    own = [trial for trial in reference_run.missing() if trial.submission.name == "mine"]
    write_ends(reference_run.store, own[:2])
    with pytest.raises(
        HarnessError, match=r"(?s)2 of 2 trials of mine on mlp ended in .*--out DIR"
    ):
        reference_run.missing()


def test_the_reference_itself_is_refused(tmp_path: Path) -> None:
    request = PlanRequest("mlp", "adamw")
    with pytest.raises(HarnessError, match="runs adamw next to a submission"):
        with_reference(plan(request), request, tmp_path)
