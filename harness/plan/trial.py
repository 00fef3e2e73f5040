"""The trial: one training run as a frozen value whose canonical JSON is its identity."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import Field

from harness.core.canonical import sha256_json
from harness.submission.reference import Framework, Scalar, SubmissionRef
from workloads.spec import Frozen, Grid, Limits, Positive, ReferenceSpeed
from workloads.targets import AnyTarget

State = Literal["reached", "budget", "diverged", "crashed", "out_of_memory", "hung", "invalid"]
STATES: tuple[State, ...] = (
    "reached", "budget", "diverged", "crashed", "out_of_memory", "hung", "invalid",
)  # fmt: skip


Diagnostic = Literal["training", "weights", "curvature"]
"""What can be measured of a snapshot; `harness.referee.diagnostics` says what each is."""
DIAGNOSTICS: tuple[Diagnostic, ...] = ("training", "weights", "curvature")

SCHEMA_VERSION: Literal[2] = 2
"""The form of trials and events: 2 since hashes are blind to prose and budgets know a speed."""
LATER_FIELDS = ("devices", "diagnostics", "batch_size")
"""Fields that are part of a trial's identity only where they have not their default: records from
before there were such fields keep theirs."""
SAME_SPEED = 0.05
"""A machine whose speed is within this fraction of the reference's has the reference's budgets."""


class MachineSpeed(Frozen):
    """How fast reference training runs on this machine, as `harness.speed.factor` measures it."""

    step_s: Positive
    """Seconds a step here, in the trial's framework: the median of the rounds."""
    startup_s: float = Field(ge=0.0)
    """Seconds on the clock beside the steps: loading the data, tracing the first step."""
    reference: ReferenceSpeed
    """The same on the suite's reference machine, in torch."""
    spread: float = Field(ge=0.0)
    """The interquartile range of the rounds over their median."""
    conditions: str
    """The hash of everything that the measurement depends on."""

    def budget_s(self, runtime_s: float) -> float:
        """The seconds in which reference training makes as many steps here as in a budget there.

        Within five per cent of that budget it is that budget.
        """
        steps = max(0.0, runtime_s - self.reference.startup_s) / self.reference.step_s
        budget_s = self.startup_s + steps * self.step_s
        is_same = abs(budget_s / runtime_s - 1.0) <= SAME_SPEED
        return runtime_s if is_same else float(f"{budget_s:.4g}")


class TrialBudget(Frozen):
    """How long the worker may train: seconds of the referee's clock, or steps.

    With `steps` the fraction of the budget spent is that of the steps made, so that schedules
    do not depend on the machine's speed; `runtime_s` then only bounds a worker that hangs.
    """

    runtime_s: Positive
    steps: int | None = Field(default=None, ge=1)
    scale: Positive = 1.0
    """The factor that `--budget-scale` put on the suite's budget; 1 for a scored trial."""
    speed: MachineSpeed | None = None
    """This machine's speed, by which the budget was scaled; None where it was not."""


class Trial(Frozen):
    """One training run. Two equal trials are the same trial and run once."""

    schema_version: Literal[2] = SCHEMA_VERSION
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
    target: AnyTarget
    grid: Grid
    limits: Limits
    precision: Literal["float32", "bfloat16"]
    device: str
    devices: int = Field(default=1, ge=1)
    """How many of them train together, on slices of each batch."""
    probes: bool = True
    """Whether the referee measures loss and gradient norm on a fixed training batch."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """What it measures of every snapshot that it evaluates, beside the workload's own."""
    batch_size: int | None = Field(default=None, ge=1)
    """In the place of the workload's; such a trial is not scored."""

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the trial's canonical JSON, without `LATER_FIELDS` that have their default."""
        fields = type(self).model_fields
        unset = {name for name in LATER_FIELDS if getattr(self, name) == fields[name].default}
        return sha256_json(self.model_dump(mode="json", exclude=unset))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed, whose identity is its own."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("identity", None)
        return copy

    @property
    def folder(self) -> str:
        """The trial's folder inside a store, readable and unique."""
        place = f"{self.workload}-{self.variant}" if self.variant != "base" else self.workload
        entry = f"{self.submission.name}-{self.framework}".replace(":", ".").replace("/", ".")
        return f"{place}/{entry}/study_{self.study}/trial_{self.trial}-{self.identity[:10]}"

    @property
    def is_scored(self) -> bool:
        """Whether the trial counts: under the suite's own budget, in seconds, and batch size."""
        is_own = self.budget.scale == 1.0 and self.batch_size is None
        return is_own and self.budget.steps is None


class Result(Frozen):
    """How a trial ended, computed from its events."""

    state: State
    reason: str
    time_to_target_s: float | None = None
    """The crossing of the target, interpolated between the last miss and the hit; of a trial that
    others published, the hit."""
    last_miss_s: float | None = None
    """The time of the miss right before the hit; 0 if nothing missed before it."""
    last_miss_metric: float | None = None
    hit_s: float | None = None
    """The true time lies in (last miss, hit]."""
    hit_metric: float | None = None
    steps_to_target: int | None = None
    """The worker's count at the hit, as it claims."""
    examples_to_target: int | None = None
    """Likewise."""
    timed_s: float
    steps: int
    best_metric: float | None = None
    interference: tuple[str, ...] = ()
    """What changed the machine beyond the declared fraction: the trial's time is in doubt."""


class TrialRecord(Frozen):
    """A store's `trial.json`: the trial, its identity, and its result once it has one."""

    identity: str
    trial: Trial
    result: Result | None = None
