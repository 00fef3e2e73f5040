"""A trial that begins where another ended: its state, its order, its record; what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.execution.branching import end_of
from harness.execution.trial import run_trial
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Branch, Trial
from harness.record.attempts import of_type
from harness.record.schema import Begin, CheckpointWritten, Evaluation
from harness.record.store import read_log
from harness.submission.reference import Framework, Scalar
from harness.verification.store import verify_store
from workloads.spec import Grid

CONSTANT: dict[str, Scalar] = {"schedule": "constant", "warmup": 0.0}
STEPS = 10


class Silent:
    """Hears a trial's events and says nothing."""

    def event(self, _: object) -> None: ...


class Branching:
    """One store, and trials on a problem without data, whose batches are all alike."""

    def __init__(self, store: Path, cache: Path) -> None:
        self.store, self.options = store, RunOptions(cache_dir=cache, threads=1)

    def trial(
        self,
        submission: str = "adamw",
        *,
        workload: str = "rosenbrock",
        steps: int = STEPS,
        framework: Framework = "torch",
        settings: Mapping[str, Scalar] | None = None,
        **changes: object,
    ) -> Trial:
        request = PlanRequest(
            workload, submission, "landscapes", ruleset="self", framework=framework,
            settings={**CONSTANT, **(settings or {})},
        )  # fmt: skip
        (only_trial,) = plan(request).trials
        budget = only_trial.budget.model_copy(update={"steps": steps, "runtime_s": 600.0})
        own = {
            "budget": budget,
            "stop_rule": "budget",
            "grid": Grid(even=2, look_from=0.5, kept=1),
        }
        return only_trial.model_copy(update=own | changes)

    def losses(self, trial: Trial) -> list[float | None]:
        """What the referee evaluates of a trial, which is run."""
        run_trial(trial, self.store, self.options, Silent())
        events = read_log(self.store / trial.folder).events
        return [e.validation["loss"] for e in of_type(events, Evaluation)]


@pytest.fixture
def branching(tmp_path: Path, data_cache: Path) -> Branching:
    return Branching(tmp_path / "store", data_cache)


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_a_branch_that_keeps_the_state_goes_on_as_the_trunk_would_have(
    branching: Branching, framework: Framework
) -> None:
    whole = branching.losses(branching.trial(steps=2 * STEPS, framework=framework))
    trunk = branching.trial(keeps_end=True, framework=framework)
    branch = branching.trial(branch=Branch(trunk=trunk), framework=framework)
    assert branching.losses(trunk)[-1] == whole[0]
    assert branching.losses(branch)[-1] == whole[1]
    assert not verify_store(branching.store).findings


def test_a_branch_with_another_optimizer_begins_at_the_trunks_weights(branching: Branching) -> None:
    trunk = branching.trial(keeps_end=True)
    still = {"learning_rate": 0.0}
    branch = branching.trial(
        "sgd", branch=Branch(trunk=trunk, keeps="weights"), settings=still, steps=2
    )
    assert branching.losses(trunk)[-1] == branching.losses(branch)[-1]


def test_orders_of_examples_differ_by_their_number_alone(branching: Branching) -> None:
    trunk = branching.trial(keeps_end=True, workload="small_mlp")
    branching.losses(trunk)
    ends = {}
    for number, order in ((1, 1), (2, 1), (3, 2)):
        branch = Branch(trunk=trunk, order=order)
        trial = branching.trial(branch=branch, workload="small_mlp", trial=number)
        ends[number] = branching.losses(trial)[-1]
    assert ends[1] == ends[2] != ends[3]


def test_the_record_names_the_checkpoint_that_the_trunks_log_names(branching: Branching) -> None:
    trunk = branching.trial(keeps_end=True)
    branch = branching.trial(branch=Branch(trunk=trunk))
    branching.losses(trunk), branching.losses(branch)
    checkpoints = of_type(read_log(branching.store / trunk.folder).events, CheckpointWritten)
    (begin,) = of_type(read_log(branching.store / branch.folder).events, Begin)
    assert begin.trunk_checkpoint == checkpoints[-1].sha256 == end_of(trunk, branching.store).sha256
    assert not list((branching.store / branch.folder).glob("*.safetensors"))
    shutil.rmtree(branching.store / trunk.folder)
    findings = "\n".join(map(str, verify_store(branching.store).findings))
    assert "began with a checkpoint that the log of its trunk" in findings


def test_a_branch_whose_trunk_has_not_run_says_what_to_run(branching: Branching) -> None:
    trunk = branching.trial(keeps_end=True)
    with pytest.raises(HarnessError, match=r"has not ended in(.|\n)*harness trial .*trial\.json"):
        branching.losses(branching.trial(branch=Branch(trunk=trunk)))


def test_a_branch_whose_trunk_diverged_says_so(branching: Branching) -> None:
    trunk = branching.trial("sgd", keeps_end=True, settings={"learning_rate": 1e3})
    branching.losses(trunk)
    branch = branching.trial("sgd", branch=Branch(trunk=trunk))
    with pytest.raises(HarnessError, match="left no checkpoint at its end: it ended 'diverged'"):
        branching.losses(branch)
