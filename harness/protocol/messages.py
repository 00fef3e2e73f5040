"""What referee and worker say to each other: frozen messages, checked field by field.

to the worker      HELLO, WARM_UP, LOAD, INHERIT, RESTORE, GO, GLANCE, STOP, PROFILE, CHECK
to the referee     READY, WARM, GLANCED, SNAPSHOT, STOPPED, PROFILED, CHECKED, FAILED

What the worker says is hostile input; every field has a type and a bound here, and tensors are
checked against the model by the referee.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.submission.reference import Framework, Scalar
from workloads.spec import Augmentation, Frozen, Sizes

Seconds = Annotated[float, Field(ge=0.0, le=1e7, allow_inf_nan=False)]
StepCount = Annotated[int, Field(ge=0, le=2**53)]
Text = Annotated[str, Field(max_length=4000)]
StateText = Annotated[str, Field(max_length=2**22, pattern=r"^[ -~]*$")]
"""JSON in ASCII, which only a worker reads."""
Number = Annotated[float, Field(allow_inf_nan=False)]
StopReason = Literal["look", "budget"]
MOST_UNREAD = 32
CheckName = Literal[
    "steps", "updates", "hyperparameters", "state", "determinism", "zero_gradients",
    "missing_gradients", "large_rate", "no_network",
]  # fmt: skip
"""What a worker finds out of a submission; see `harness.worker.conformance`."""
Verdict = Literal["pass", "warn", "fail"]


class Hello(Frozen):
    """The problem: model, submission, sizes; nothing of the data."""

    kind: Literal["HELLO"] = "HELLO"
    framework: Framework
    device: str
    devices: int = 1
    """How many train together, see `harness.plan.trial.Trial`."""
    threads: int
    """CPU threads of one of them."""
    package: str
    sizes: Sizes
    loss: str
    precision: Literal["float32", "bfloat16"]
    batch_size: int
    train_examples: int
    input_shape: tuple[int, ...]
    input_dtype: str
    target_shape: tuple[int, ...]
    compile: bool
    augmentation: Augmentation | None
    resident_gib: float
    submission: str
    """The path of its folder or file, or `module:Class`."""
    import_from: str = ""
    """Where an import path's module lies, if it is not installed."""
    hyperparameters: dict[str, Scalar]
    seed: str
    budget_s: float
    budget_steps: int | None
    step_hint: int
    """See `harness.submission.interface.Problem`."""
    notes_connections: bool = False
    """For a check alone: whether the worker notes which connections are asked for."""


class WarmUp(Frozen):
    """Compile on random batches, for at most `cap_s` seconds."""

    kind: Literal["WARM_UP"] = "WARM_UP"
    cap_s: Seconds


class Load(Frozen):
    """The real parameters and buffers (this message's tensors), and where the examples lie."""

    kind: Literal["LOAD"] = "LOAD"
    train_folder: str


class Inherit(Frozen):
    """Begin where another trial ended: its state as text, and this message's tensors."""

    kind: Literal["INHERIT"] = "INHERIT"
    state: StateText
    keeps: Literal["state", "weights"]
    """See `harness.plan.trial.Branch`."""
    hyperparameters: dict[str, Scalar]
    """That trial's."""


class Restore(Frozen):
    """A checkpoint of this trial, whose referee had died: text, and this message's tensors."""

    kind: Literal["RESTORE"] = "RESTORE"
    state: StateText


class Go(Frozen):
    """Train on; `fraction` of the budget is spent already. Under a budget in steps, not beyond the
    step of the order at hand; a worker that has none waits for it.
    """

    kind: Literal["GO"] = "GO"
    fraction: float


class Glance(Frozen):
    """Finish the step, write a snapshot into the slot, say so, and train on."""

    kind: Literal["GLANCE"] = "GLANCE"
    at_step: int | None = None
    """Under a budget in steps: after which step."""


class Stop(Frozen):
    """Finish the step, synchronise, hand over a snapshot, and wait.

    The snapshot is to hold the worker's state if that takes at most `checkpoint_bytes`.
    """

    kind: Literal["STOP"] = "STOP"
    reason: StopReason
    at_step: int | None = None
    """Under a budget in steps: after which step."""
    checkpoint_bytes: int = 0


class Profile(Frozen):
    """The trial is over: make a few more steps, at most so many seconds, with stopwatches."""

    kind: Literal["PROFILE"] = "PROFILE"
    steps: int
    cap_s: Seconds


class Check(Frozen):
    """There is no trial: look at the submission from all sides, or only time its steps."""

    kind: Literal["CHECK"] = "CHECK"
    is_brief: bool


class Ready(Frozen):
    """HELLO: the submission is imported and the model built; LOAD: the data are resident.

    INHERIT: the trial begins where its trunk ended; RESTORE: the state is back.
    """

    kind: Literal["READY"] = "READY"


class Warm(Frozen):
    """Warm-up is over."""

    kind: Literal["WARM"] = "WARM"
    compile_s: Seconds
    steps: StepCount
    unread: Annotated[tuple[Text, ...], Field(max_length=MOST_UNREAD)] = ()
    """The hyperparameters that the submission has not looked up, so far as they are shown."""


class Snapshot(Frozen):
    """Evaluation parameters and buffers, as this message's tensors, after a number of steps."""

    kind: Literal["SNAPSHOT"] = "SNAPSHOT"
    step: StepCount
    state: StateText | None = None
    """The worker's state, if it was asked for; its tensors' names begin with `state/`."""
    no_state: Text = ""
    """Why it is not there."""


class Progress(Frozen):
    """How far training is. It is claimed by the worker, not measured."""

    step: StepCount
    examples: StepCount
    train_loss: Number | None = None
    learning_rate: Number | None = None
    forwards: StepCount = 0
    backwards: StepCount = 0
    snapshots_s: Seconds = 0.0
    """Spent on snapshots so far, this one included."""


class Glanced(Progress):
    """A snapshot lies in the slot; training goes on."""

    kind: Literal["GLANCED"] = "GLANCED"
    needs_statistics: bool = False
    """Whether the running statistics there are those of other weights: they are recomputed if the
    snapshot is evaluated."""


class Stopped(Progress):
    """The worker has stopped; its snapshot was sent before."""

    kind: Literal["STOPPED"] = "STOPPED"


class Profiled(Frozen):
    """What some steps spent in all, on drawing data, and on forward and backward passes.

    `passes_s` is None where passes and update are one compiled program, or none was seen.
    """

    kind: Literal["PROFILED"] = "PROFILED"
    steps: StepCount
    steps_s: Seconds
    data_s: Seconds
    passes_s: Seconds | None = None


class Finding(Frozen):
    """What one check found."""

    check: CheckName
    verdict: Verdict = "pass"
    detail: Text = ""


class Checked(Frozen):
    """What all checks found, how long a step takes, and in how much memory; 0 if none was made."""

    kind: Literal["CHECKED"] = "CHECKED"
    findings: Annotated[tuple[Finding, ...], Field(max_length=32)]
    first_step_s: Seconds
    step_s: Seconds
    memory_bytes: StepCount = 0
    """The most that the worker's process held up to its last timed step."""


class Failed(Frozen):
    """The submission raised, or a rank of the worker was killed; the worker's error report."""

    kind: Literal["FAILED"] = "FAILED"
    cause: Literal["exception", "out_of_memory", "killed"]
    error: Text
    frame: Text

    @property
    def text(self) -> str:
        """The error and where it was raised."""
        return f"{self.error} ({self.frame})" if self.frame else self.error


ToWorkerMessage = Hello | WarmUp | Load | Inherit | Restore | Go | Glance | Stop | Profile | Check
ToRefereeMessage = Ready | Warm | Glanced | Snapshot | Stopped | Profiled | Checked | Failed
Message = ToWorkerMessage | ToRefereeMessage

TO_WORKER: TypeAdapter[ToWorkerMessage] = TypeAdapter(
    Annotated[ToWorkerMessage, Field(discriminator="kind")]
)
TO_REFEREE: TypeAdapter[ToRefereeMessage] = TypeAdapter(
    Annotated[ToRefereeMessage, Field(discriminator="kind")]
)
