"""Events of an attempt as a whole: its beginning, its end, and its reopening."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from harness.core.recorded import Number, Recorded, Seconds, Whole
from harness.machine.hardware import Environment, Hardware
from harness.machine.readings import MachineChange
from harness.plan.trial import SCHEMA_VERSION, Result, State
from harness.record.schema.base import EventData


class Begin(EventData):
    """An attempt begins."""

    kind: Literal["begin"] = "begin"
    origin: Literal["measured"] = "measured"
    schema_version: Literal[2] = SCHEMA_VERSION
    identity: str
    """The identity of the trial."""
    attempt: Whole
    """From 1; attempts whose events are lost count too."""
    submission_files: str
    """The hash of the submission's bytes."""
    hardware: Hardware
    fingerprint: str
    environment: Environment
    threads: Whole
    sandbox: str
    unenforced: tuple[str, ...]
    """The protections that the sandbox did not enforce."""
    image: str | None = None
    """The digest of the worker's container image; missing if it used the machine's files."""
    trunk_checkpoint: str | None = None
    """The SHA-256 of the checkpoint that a branch starts from; missing for other trials."""
    load_average: Number


class ImportedBegin(EventData):
    """An imported trial begins."""

    kind: Literal["begin"] = "begin"
    origin: Literal["imported"] = "imported"
    schema_version: Literal[2] = SCHEMA_VERSION
    fingerprint: str
    source: str
    """The file that the trial was read from."""
    attempt: ClassVar[int] = 1
    submission_files: ClassVar[str] = ""


class Resumed(EventData):
    """A restarted referee resumes from a checkpoint."""

    kind: Literal["resumed"] = "resumed"
    after_seq: Whole
    """The `seq` of the checkpoint's event; the events in between are discarded."""
    attempt: Whole
    step: Whole
    timed_s: Seconds


class RefereeFailed(EventData):
    """The referee failed, which ends the trial."""

    kind: Literal["referee_failed"] = "referee_failed"
    why: str


class NoReadings(Recorded):
    """The attempt ended without a second reading of the machine."""


class End(EventData):
    """The attempt ended with a result."""

    kind: Literal["end"] = "end"
    result: Result
    clock: dict[str, Seconds] | None = None
    """The seconds of each entry of the clock, including `timed_s`; None if imported."""
    machine: MachineChange | NoReadings | None = None
    """The machine's change since GO; None if imported."""

    @model_validator(mode="after")
    def _is_timed(self) -> End:
        if self.clock is not None and "timed_s" not in self.clock:
            raise ValueError("the clock lacks 'timed_s'")
        return self

    @property
    def machine_change(self) -> MachineChange | None:
        """The machine's change since GO, if two readings were taken."""
        return self.machine if isinstance(self.machine, MachineChange) else None


class Rerun(EventData):
    """An ended trial is reopened by an explicit command."""

    kind: Literal["rerun"] = "rerun"
    attempt: Whole
    """The attempt whose end is void."""
    state: State
    events: str
    """The hash of that end."""
    reason: str
