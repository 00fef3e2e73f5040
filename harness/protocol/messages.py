"""The messages between referee and worker: frozen values, validated field by field.

to the worker      HELLO, WARM_UP, LOAD, INHERIT, RESTORE, GO, GLANCE, STOP, PROFILE, CHECK
to the referee     READY, WARM, GLANCED, SNAPSHOT, STOPPED, PROFILED, CHECKED, FAILED

Messages from the worker are hostile input: every field has a type and a bound here, and the referee
checks tensors against the model.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.submission.reference import Framework, Scalar
from workloads.spec import Augmentation, Frozen, Sizes

Seconds = Annotated[float, Field(ge=0.0, le=1e7, allow_inf_nan=False)]
StepCount = Annotated[int, Field(ge=0, le=2**53)]
Text = Annotated[str, Field(max_length=4000)]
MOST_STATE_TEXT = 2**22
StateText = Annotated[str, Field(max_length=MOST_STATE_TEXT, pattern=r"^[ -~]*$")]
"""JSON in ASCII, read only by a worker."""
Number = Annotated[float, Field(allow_inf_nan=False)]
StopReason = Literal["look", "budget"]
MOST_UNREAD = 32
CheckName = Literal[
    "steps", "updates", "hyperparameters", "state", "determinism", "zero_gradients",
    "missing_gradients", "large_rate", "no_network",
]  # fmt: skip
"""The checks of a submission that a worker can run; see `harness.worker.conformance`."""
Verdict = Literal["pass", "warn", "fail"]


class Hello(Frozen):
    """HELLO: model, submission and sizes, without any data."""

    kind: Literal["HELLO"] = "HELLO"
    framework: Framework
    device: str
    devices: int = 1
    """How many devices train together; see `harness.plan.trial.Trial`."""
    threads: int
    """CPU threads per device."""
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
    """The folder to import from, if the module is not installed; else empty."""
    hyperparameters: dict[str, Scalar]
    seed: str
    budget_s: float
    budget_steps: int | None
    step_hint: int
    """See `harness.submission.interface.Problem`."""
    notes_connections: bool = False
    """Only for a check: whether the worker records attempted network connections."""


class WarmUp(Frozen):
    """Warm up and compile on random batches, for at most `cap_s` seconds."""

    kind: Literal["WARM_UP"] = "WARM_UP"
    cap_s: Seconds


class Load(Frozen):
    """The real parameters and buffers (this message's tensors), and the path of the examples."""

    kind: Literal["LOAD"] = "LOAD"
    train_folder: str


class Inherit(Frozen):
    """Start from the end of another trial: its state as text, and this message's tensors."""

    kind: Literal["INHERIT"] = "INHERIT"
    state: StateText
    keeps: Literal["state", "weights"]
    """See `harness.plan.trial.Branch`."""
    hyperparameters: dict[str, Scalar]
    """The submission of that trial."""


class Restore(Frozen):
    """Resume from a checkpoint after the referee died: its text, and this message's tensors."""

    kind: Literal["RESTORE"] = "RESTORE"
    state: StateText


class Go(Frozen):
    """Continue training; `fraction` of the budget is spent. Under a budget in steps the worker
    trains only up to the step of its next order, and waits if it has none.
    """

    kind: Literal["GO"] = "GO"
    fraction: float


class Glance(Frozen):
    """Finish the step, write a snapshot into the slot, answer, and continue training."""

    kind: Literal["GLANCE"] = "GLANCE"
    at_step: int | None = None
    """Under a budget in steps, the step after which to do so."""


class Stop(Frozen):
    """Finish the step, synchronise, send a snapshot, and wait.

    The snapshot includes the worker's state if that takes at most `checkpoint_bytes`.
    """

    kind: Literal["STOP"] = "STOP"
    reason: StopReason
    at_step: int | None = None
    """Under a budget in steps, the step after which to do so."""
    checkpoint_bytes: int = 0


class Profile(Frozen):
    """The trial is over: profile a few more steps, for at most `cap_s` seconds."""

    kind: Literal["PROFILE"] = "PROFILE"
    steps: int
    cap_s: Seconds


class Check(Frozen):
    """Without a trial: run all checks of the submission, or only time its steps."""

    kind: Literal["CHECK"] = "CHECK"
    is_brief: bool


class Ready(Frozen):
    """The answer to HELLO: the submission is imported and the model built.

    Also to LOAD (the data are loaded), INHERIT and RESTORE (the state is restored).
    """

    kind: Literal["READY"] = "READY"


class Warm(Frozen):
    """Warm-up is over."""

    kind: Literal["WARM"] = "WARM"
    compile_s: Seconds
    steps: StepCount
    unread: Annotated[tuple[Text, ...], Field(max_length=MOST_UNREAD)] = ()
    """The hyperparameters that the submission has not read; long lists are cut."""


class Snapshot(Frozen):
    """Evaluation parameters and buffers, as this message's tensors, after a number of steps."""

    kind: Literal["SNAPSHOT"] = "SNAPSHOT"
    step: StepCount
    state: StateText | None = None
    """The worker's state, if it was requested; the names of its tensors begin with `state/`."""
    no_state: Text = ""
    """Why it is missing."""


class Progress(Frozen):
    """The progress of training, as reported by the worker."""

    step: StepCount
    examples: StepCount
    train_loss: Number | None = None
    learning_rate: Number | None = None
    forwards: StepCount = 0
    backwards: StepCount = 0
    snapshots_s: Seconds = 0.0
    """Seconds spent on snapshots so far, including this one."""


class Glanced(Progress):
    """A snapshot is in the slot, and training continues."""

    kind: Literal["GLANCED"] = "GLANCED"
    needs_statistics: bool = False
    """Whether its running statistics belong to other weights; they are recomputed if the snapshot
    is evaluated."""


class Stopped(Progress):
    """The worker has stopped; its snapshot was sent before."""

    kind: Literal["STOPPED"] = "STOPPED"


class Profiled(Frozen):
    """The time of some steps: in total, for drawing data, and for forward and backward passes.

    `passes_s` is None if passes and update are one compiled program, or no pass was seen.
    """

    kind: Literal["PROFILED"] = "PROFILED"
    steps: StepCount
    steps_s: Seconds
    data_s: Seconds
    passes_s: Seconds | None = None


class Finding(Frozen):
    """The result of one check."""

    check: CheckName
    verdict: Verdict = "pass"
    detail: Text = ""


class Checked(Frozen):
    """The results of all checks, and the time and memory of a step; 0 if none was made."""

    kind: Literal["CHECKED"] = "CHECKED"
    findings: Annotated[tuple[Finding, ...], Field(max_length=32)]
    first_step_s: Seconds
    step_s: Seconds
    memory_bytes: StepCount = 0
    """Peak memory of the worker's process up to its last timed step."""


class Failed(Frozen):
    """The submission raised, or a rank of the worker was killed; the worker's error report."""

    kind: Literal["FAILED"] = "FAILED"
    cause: Literal["exception", "out_of_memory", "killed"]
    error: Text
    frame: Text

    @property
    def text(self) -> str:
        """The error, and where it was raised."""
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
