"""The trial: one training run as a frozen value whose canonical JSON is its identity."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from harness.core.canonical import sha256_json
from harness.core.recorded import Whole
from harness.submission.reference import Framework, Scalar, SubmissionRef
from workloads.spec import Frozen, Grid, Limits, Positive, ReferenceSpeed
from workloads.targets import AnyTarget

State = Literal["reached", "budget", "diverged", "crashed", "out_of_memory", "hung", "invalid"]
STATES: tuple[State, ...] = (
    "reached", "budget", "diverged", "crashed", "out_of_memory", "hung", "invalid",
)  # fmt: skip


Diagnostic = Literal["training", "weights", "sharpness", "curvature"]
"""The optional diagnostics of a snapshot; see `harness.referee.diagnostics`."""
DIAGNOSTICS: tuple[Diagnostic, ...] = ("training", "weights", "sharpness", "curvature")

SCHEMA_VERSION: Literal[2] = 2
"""Version of the format of trials and events: 2 since hashes ignore docstrings and comments and
budgets include a speed."""
LATER_FIELDS = ("devices", "diagnostics", "batch_size", "keeps_end", "branch")
"""Fields that enter a trial's identity only if they differ from their default, so that records from
before these fields existed keep their identity."""
SAME_AS_TRUNK = (
    "suite", "workload", "workload_hash", "variant", "framework", "instance_seed", "precision",
)  # fmt: skip
"""What a branch shares with its trunk: model and data."""
NEUTRAL_OPTIONS = {"average": "none", "parametrisation": "standard"}
"""Options that neither a trunk nor its branch may use, with the values that turn them off."""
UNWRITTEN = ("keeps_end", "branch")
"""Those of them that are also not written if they have their default, so that older files are
reproduced byte for byte."""
SAME_SPEED = 0.05
"""If the machine's speed is within this fraction of the reference's, budgets are not scaled."""


class MachineSpeed(Frozen):
    """How fast reference training runs on this machine, as `harness.speed.factor` measures it."""

    step_s: Positive
    """Seconds per step on this machine in the trial's framework: the median over rounds."""
    startup_s: float = Field(ge=0.0)
    """Seconds on the clock that are not steps: loading the data, tracing the first step."""
    reference: ReferenceSpeed
    """Seconds per step on the suite's reference machine, in torch."""
    spread: float = Field(ge=0.0)
    """The interquartile range of the rounds over their median."""
    conditions: str
    """The hash of everything that the measurement depends on."""

    def budget_s(self, runtime_s: float) -> float:
        """The budget on this machine that holds as many reference steps as one on the reference
        machine.

        If it is within five per cent of that budget, that budget is used unchanged.
        """
        steps = max(0.0, runtime_s - self.reference.startup_s) / self.reference.step_s
        budget_s = self.startup_s + steps * self.step_s
        is_same = abs(budget_s / runtime_s - 1.0) <= SAME_SPEED
        return runtime_s if is_same else float(f"{budget_s:.4g}")


class TrialBudget(Frozen):
    """How long the worker may train, in seconds of the referee's clock or in steps.

    With `steps` the spent fraction of the budget is counted in steps, so that schedules do not
    depend on the machine's speed; `runtime_s` then only limits a worker that hangs.
    """

    runtime_s: Positive
    steps: Whole | None = Field(default=None, ge=1)
    scale: Positive = 1.0
    """The factor of `--budget-scale` on the suite's budget; 1 for a scored trial."""
    speed: MachineSpeed | None = None
    """The machine's speed by which the budget was scaled; None if it was not."""


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
    study: Whole = Field(ge=1)
    trial: Whole = Field(ge=1)
    instance_seed: str = Field(pattern="^[0-9a-f]{32}$")
    round_commitment: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    """The commitment to the round seed from which the instance seed is derived; "" if imported."""
    point: dict[str, Scalar]
    budget: TrialBudget
    stop_rule: Literal["target", "budget"] = "target"
    target: AnyTarget
    grid: Grid
    limits: Limits
    precision: Literal["float32", "bfloat16"]
    device: str
    devices: Whole = Field(default=1, ge=1)
    """How many devices train together, on slices of each batch."""
    probes: bool = True
    """Whether the referee measures loss and gradient norm on a fixed training batch."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """Further diagnostics of every evaluated snapshot, besides the workload's own."""
    batch_size: Whole | None = Field(default=None, ge=1)
    """Replaces the workload's batch size; such a trial is not scored."""
    keeps_end: bool = False
    """Whether its final checkpoint is kept, for trials that branch off it."""
    branch: Branch | None = None
    """The trial whose end it continues from, if any; such a trial is not scored."""

    @model_validator(mode="after")
    def _is_on_the_trunks_instance(self) -> Self:
        if self.branch is not None:
            self.branch.check(self)
        return self

    @model_serializer(mode="wrap")
    def _without_unset(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = serialise(self)
        for name in UNWRITTEN:
            if getattr(self, name) == type(self).model_fields[name].default:
                document.pop(name, None)
        return document

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the trial's canonical JSON, without those `LATER_FIELDS` that have their
        default; in a branch the trunk is replaced by its identity.
        """
        fields = type(self).model_fields
        unset = {name for name in LATER_FIELDS if getattr(self, name) == fields[name].default}
        document = self.model_dump(mode="json", exclude=unset)
        if self.branch is not None:
            document["branch"]["trunk"] = self.branch.trunk.identity
        return sha256_json(document)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed and its own identity."""
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
        """Whether the trial can be scored: it has the suite's own budget in seconds and batch size,
        and starts at the instance's initial parameters.
        """
        is_own = self.budget.scale == 1.0 and self.batch_size is None and self.branch is None
        return is_own and self.budget.steps is None


class Branch(Frozen):
    """The starting point of a branch: the end of another trial, its trunk.

    A branch is on the trunk's instance, with its own budget, schedule and order of examples.
    """

    trunk: Trial
    """The trial that it branches off; it has `keeps_end` and is in the same store."""
    keeps: Literal["state", "weights"] = "state"
    """Whether it continues from the full state of the trunk's submission, which must be its own, or
    from the weights only."""
    order: Whole = Field(default=1, ge=1)
    """The number of its order of examples; branches with the same number see the same order."""

    def check(self, trial: Trial) -> None:
        """Refuse a trunk from which the trial cannot continue.

        Raises:
            ValueError: it keeps no final checkpoint, has another model or other data, has a
                submission whose state does not fit, or either uses an option that cannot be
                inherited.
        """
        if not self.trunk.keeps_end:
            raise ValueError("the trunk of a branch has keeps_end = false, so it leaves no end")
        for name, value in (*trial.point.items(), *self.trunk.point.items()):
            if name in NEUTRAL_OPTIONS and value != NEUTRAL_OPTIONS[name]:
                raise ValueError(
                    f"{name} is {value!r}, and a branch begins with the weights that are trained, "
                    "in their own scale; leave it out of trunk and branch"
                )
        differs = [n for n in SAME_AS_TRUNK if getattr(self.trunk, n) != getattr(trial, n)]
        if differs:
            own, trunks = getattr(trial, differs[0]), getattr(self.trunk, differs[0])
            raise ValueError(f"{differs[0]} of a branch is {own!r}, and its trunk's is {trunks!r}")
        own, trunks = trial.submission, self.trunk.submission
        if self.keeps == "state" and own.content_hash != trunks.content_hash:
            raise ValueError(
                f"a branch of '{own.name}' cannot continue from the state of "
                f"'{trunks.name}'; give it keeps = \"weights\""
            )


Trial.model_rebuild()


class Result(Frozen):
    """How a trial ended, computed from its events."""

    state: State
    reason: str
    time_to_target_s: float | None = None
    """The crossing of the target, interpolated between the last miss and the hit; for an imported
    trial, the hit."""
    last_miss_s: float | None = None
    """The time of the miss right before the hit; 0 if there was none."""
    last_miss_metric: float | None = None
    hit_s: float | None = None
    """The true time lies in (last miss, hit]."""
    hit_metric: float | None = None
    steps_to_target: Whole | None = None
    """The step of the hit, as reported by the worker."""
    examples_to_target: Whole | None = None
    """The examples up to the hit, as reported by the worker."""
    timed_s: float
    steps: Whole
    best_metric: float | None = None
    interference: tuple[str, ...] = ()
    """Changes of the machine beyond the declared fraction, which put the trial's time in doubt."""
    contention: str = ""
    """CPU use by other programs beyond that fraction, which also puts the time in doubt. A
    submission could cause it, so it is not a reason for a rerun."""

    @model_serializer(mode="wrap")
    def _without_empty(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = serialise(self)
        if not self.contention:  # as in records from before there was this flag
            document.pop("contention", None)
        return document

    @property
    def flags(self) -> tuple[str, ...]:
        """The reasons why its time is in doubt."""
        return (*self.interference, *filter(None, [self.contention]))


class TrialRecord(Frozen):
    """A store's `trial.json`: the trial, its identity, and its result once it has one."""

    identity: str
    trial: Trial
    result: Result | None = None
