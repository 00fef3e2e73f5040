"""The trial: one training run as a frozen value whose canonical JSON is its identity."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from harness.core.canonical import sha256_json
from harness.submission.reference import Framework, Scalar, SubmissionRef
from workloads.spec import Frozen, Grid, Limits, Positive, ReferenceSpeed
from workloads.targets import AnyTarget

State = Literal["reached", "budget", "diverged", "crashed", "out_of_memory", "hung", "invalid"]
STATES: tuple[State, ...] = (
    "reached", "budget", "diverged", "crashed", "out_of_memory", "hung", "invalid",
)  # fmt: skip


Diagnostic = Literal["training", "weights", "sharpness", "curvature"]
"""What can be measured of a snapshot; `harness.referee.diagnostics` says what each is."""
DIAGNOSTICS: tuple[Diagnostic, ...] = ("training", "weights", "sharpness", "curvature")

SCHEMA_VERSION: Literal[2] = 2
"""The form of trials and events: 2 since hashes are blind to prose and budgets know a speed."""
LATER_FIELDS = ("devices", "diagnostics", "batch_size", "keeps_end", "branch")
"""Fields that are part of a trial's identity only where they have not their default: records from
before there were such fields keep theirs."""
SAME_AS_TRUNK = (
    "suite", "workload", "workload_hash", "variant", "framework", "instance_seed", "precision",
)  # fmt: skip
"""What a branch shares with its trunk: the model and the data."""
NEUTRAL_OPTIONS = {"average": "none", "parametrisation": "standard"}
"""What neither a trunk nor its branch may have, with the values that turn it off."""
UNWRITTEN = ("keeps_end", "branch")
"""Those of them that are not written either where they have their default: files from before are
the bytes that they were."""
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
    keeps_end: bool = False
    """Whether the checkpoint of its end stays, for trials that begin there."""
    branch: Branch | None = None
    """Where it begins, if that is another trial's end; such a trial is not scored."""

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
        """SHA-256 of the trial's canonical JSON, without `LATER_FIELDS` that have their default; a
        branch has its trunk's identity in the place of the trunk.
        """
        fields = type(self).model_fields
        unset = {name for name in LATER_FIELDS if getattr(self, name) == fields[name].default}
        document = self.model_dump(mode="json", exclude=unset)
        if self.branch is not None:
            document["branch"]["trunk"] = self.branch.trunk.identity
        return sha256_json(document)

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
        """Whether the trial counts: under the suite's own budget, in seconds, its batch size, and
        from the instance's start.
        """
        is_own = self.budget.scale == 1.0 and self.batch_size is None and self.branch is None
        return is_own and self.budget.steps is None


class Branch(Frozen):
    """Where a trial begins that does not begin at its instance's start: at another trial's end.

    It is on the trunk's instance, and has a budget, a schedule and an order of examples of its own.
    """

    trunk: Trial
    """The trial that it branches off; it `keeps_end`, and lies in the same store."""
    keeps: Literal["state", "weights"] = "state"
    """Whether it goes on in the state of the trunk's submission, which is then its own, or has the
    weights alone."""
    order: int = Field(default=1, ge=1)
    """The number of its order of examples; branches of one number meet the same."""

    def check(self, trial: Trial) -> None:
        """Refuse a trunk at whose end the trial cannot begin.

        Raises:
            ValueError: it leaves no checkpoint, trains another model on other data, has a
                submission whose state is not the trial's, or one of them what is not handed on.
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
                f"a branch of '{own.name}' cannot go on in the state of '{trunks.name}'; give it "
                'keeps = "weights"'
            )


Trial.model_rebuild()


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
    contention: str = ""
    """What other programs took of its processors, if it is more: the time is in doubt as well. A
    submission could bring that about, so it is no ground for a rerun."""

    @model_serializer(mode="wrap")
    def _without_empty(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = serialise(self)
        if not self.contention:  # as in records from before there was this flag
            document.pop("contention", None)
        return document

    @property
    def flags(self) -> tuple[str, ...]:
        """Why its time is in doubt."""
        return (*self.interference, *filter(None, [self.contention]))


class TrialRecord(Frozen):
    """A store's `trial.json`: the trial, its identity, and its result once it has one."""

    identity: str
    trial: Trial
    result: Result | None = None
