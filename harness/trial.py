"""The trial: one training run as a frozen value whose canonical JSON is its identity."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.canonical import sha256_json
from workloads.spec import Frozen, Grid, Limits, Positive, Target

Scalar = bool | int | float | str
Framework = Literal["torch", "jax"]
State = Literal["reached", "budget", "diverged", "crashed", "out_of_memory", "hung", "invalid"]
STATES: tuple[State, ...] = (
    "reached", "budget", "diverged", "crashed", "out_of_memory", "hung", "invalid",
)  # fmt: skip


class SubmissionRef(Frozen):
    """Which submission: its name, where it is, and the hash of its content."""

    name: str
    location: str
    """A path (relative to the package for those that ship), or `module:Class`."""
    content_hash: str


class TrialBudget(Frozen):
    """How long the worker may train: seconds of the referee's clock, or steps.

    With `steps` the share of the budget spent is the share of the steps made, so that schedules do
    not depend on the machine's speed; `runtime_s` then only bounds a worker that hangs.
    """

    runtime_s: Positive
    steps: int | None = Field(default=None, ge=1)
    scale: Positive = 1.0
    """The factor that `--budget-scale` put on the suite's budget; 1 for a scored trial."""
    machine_factor: Positive = 1.0
    """The factor that a machine of another speed put on it, see `harness.factor`."""


class Trial(Frozen):
    """One training run. Two equal trials are the same trial and run once."""

    schema_version: Literal[1] = 1
    suite: str
    workload: str
    workload_hash: str
    variant: str = "base"
    framework: Framework
    submission: SubmissionRef
    ruleset: Literal["external", "self"]
    study: int = Field(ge=1)
    trial: int = Field(ge=1)
    instance_seed: str = Field(pattern="^[0-9a-f]{32}$")
    round_commitment: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    """The commitment to the round seed, from which the instance seed follows; "" if imported."""
    point: dict[str, Scalar]
    budget: TrialBudget
    stop_rule: Literal["target", "budget"] = "target"
    target: Target
    grid: Grid
    limits: Limits
    precision: Literal["float32", "bfloat16"]
    device: str
    probes: bool = True
    """Whether the referee measures loss and gradient norm on a fixed training batch."""

    @property
    def identity(self) -> str:
        """SHA-256 of the trial's canonical JSON."""
        return sha256_json(self.model_dump(mode="json"))

    @property
    def folder(self) -> str:
        """The trial's folder inside a store, readable and unique."""
        place = f"{self.workload}-{self.variant}" if self.variant != "base" else self.workload
        entry = f"{self.submission.name}-{self.framework}".replace(":", ".").replace("/", ".")
        return f"{place}/{entry}/study_{self.study}/trial_{self.trial}-{self.identity[:10]}"

    @property
    def is_scored(self) -> bool:
        """Whether the trial counts: it ran under the suite's own budget, in seconds."""
        return self.budget.scale == 1.0 and self.budget.steps is None


class Result(Frozen):
    """How a trial ended, computed from its events."""

    state: State
    reason: str
    time_to_target_s: float | None = None
    last_miss_s: float | None = None
    """The time of the last miss before the hit: the true time lies in (last miss, hit]."""
    steps_to_target: int | None = None
    examples_to_target: int | None = None
    timed_s: float
    steps: int
    best_metric: float | None = None
    disturbed: tuple[str, ...] = ()
    """What disturbed the machine beyond the declared share: the trial's time is in doubt."""


class TrialRecord(Frozen):
    """A store's `trial.json`: the trial, its identity, and its result once it has one."""

    identity: str
    trial: Trial
    result: Result | None = None
