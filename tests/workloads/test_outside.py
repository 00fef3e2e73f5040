"""Workloads of an outside package, trained by the real referee and worker in both frameworks.

`line_fit` has real targets under squared error, `bowl` no data at all. They lie in `outside/` as an
installed package would: with a `dist-info` folder, whose entry points name them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.execution.base import RunOptions
from harness.execution.trial import run_trial
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Trial
from harness.providers import registry
from harness.record.attempts import of_type
from harness.record.log import Event, read_events
from harness.record.schema import Evaluation, OtherSplits, ToldEvent
from harness.record.store import EVENTS_FILE
from harness.sandboxes import fork_client
from harness.submission.reference import Framework
from workloads.spec import Grid

OUTSIDE = Path(__file__).parent / "outside"
STEPS = 40
FRAMEWORKS: tuple[Framework, ...] = ("torch", "jax")


class Deaf:
    """Hears nothing of a trial."""

    def event(self, event: ToldEvent) -> None:
        return


@pytest.fixture(scope="module", autouse=True)
def installed_package() -> Iterator[None]:
    """The package is on this process's path and on its workers', and known to the registry."""
    with pytest.MonkeyPatch.context() as patch:
        paths = (str(OUTSIDE), os.environ.get("PYTHONPATH", ""))
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        patch.syspath_prepend(OUTSIDE)
        patch.setattr(fork_client, "_SERVERS", {})
        for kind in ("WORKLOADS", "SUITES"):
            patch.setattr(registry, kind, replace(getattr(registry, kind)))
        yield
    registry.workload.cache_clear()
    registry.suite.cache_clear()


def trial(workload: str, framework: Framework) -> Trial:
    request = PlanRequest(workload, "adamw", "tiny", framework, "self")
    (only_trial,) = plan(request).trials
    changes = {
        "point": only_trial.point | {"learning_rate": 0.1},
        "budget": only_trial.budget.model_copy(update={"steps": STEPS}),
        "grid": Grid(even=10, kept=1),
        "stop_rule": "budget",
    }
    return only_trial.model_copy(update=changes)


def events_of(workload: str, framework: Framework, store: Path, cache: Path) -> list[Event]:
    """Those of a whole trial."""
    only_trial, options = trial(workload, framework), RunOptions(cache_dir=cache, threads=1)
    result = run_trial(only_trial, store, options, Deaf())
    assert (result.state, result.steps) == ("budget", STEPS), result.reason
    return read_events(store / only_trial.folder / EVENTS_FILE)


def evaluations(workload: str, framework: Framework, store: Path, cache: Path) -> list[Evaluation]:
    """Those of a whole trial."""
    return of_type(events_of(workload, framework, store, cache), Evaluation)


def losses(evaluations: list[Evaluation]) -> list[float]:
    """On the validation split; no other metric is there."""
    assert all(list(evaluation.validation) == ["loss"] for evaluation in evaluations)
    return [evaluation.validation["loss"] or 0.0 for evaluation in evaluations]


@pytest.mark.parametrize("workload", ["line_fit", "bowl"])
def test_both_frameworks_train_alike(workload: str, tmp_path: Path, data_cache: Path) -> None:
    mine, other = (
        losses(evaluations(workload, framework, tmp_path, data_cache)) for framework in FRAMEWORKS
    )
    assert len(mine) == 10
    assert mine[-1] < 0.5 * mine[0]
    assert mine == pytest.approx(other, rel=1e-3)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_without_data_training_and_held_out_loss_are_one(
    framework: Framework, tmp_path: Path, data_cache: Path
) -> None:
    events = events_of("bowl", framework, tmp_path, data_cache)
    held_out = {e.step: e.validation["loss"] for e in of_type(events, Evaluation)}
    (last,) = of_type(events, OtherSplits)
    assert last.probe is not None
    assert held_out[last.step] == pytest.approx(last.probe["loss"], rel=1e-5)
