"""Events of an attempt as a whole: its beginning, its end, and what opens it again."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from harness.core.recorded import Number, Recorded, Seconds
from harness.machine.hardware import Environment, Hardware
from harness.machine.readings import MachineChange
from harness.plan.trial import SCHEMA_VERSION, Result, State
from harness.record.schema.base import EventData


class Begin(EventData):
    """A referee begins an attempt."""

    kind: Literal["begin"] = "begin"
    origin: Literal["measured"] = "measured"
    schema_version: Literal[2] = SCHEMA_VERSION
    identity: str
    """The trial's."""
    attempt: int
    """From 1; attempts whose events are lost are counted."""
    submission_files: str
    """The hash of the submission's bytes."""
    hardware: Hardware
    fingerprint: str
    environment: Environment
    threads: int
    sandbox: str
    unenforced: tuple[str, ...]
    """What the sandbox could not forbid here."""
    image: str | None = None
    """The digest of the image that the worker ran in; missing where it had the machine's files."""
    trunk_checkpoint: str | None = None
    """The SHA-256 of the checkpoint that a branch begins with; missing where it is none."""
    load_average: Number


class ImportedBegin(EventData):
    """Here begins a trial that others measured."""

    kind: Literal["begin"] = "begin"
    origin: Literal["imported"] = "imported"
    schema_version: Literal[2] = SCHEMA_VERSION
    fingerprint: str
    source: str
    """The file that it was read from."""
    attempt: ClassVar[int] = 1
    submission_files: ClassVar[str] = ""


class Resumed(EventData):
    """A successor of a dead referee goes on from a checkpoint."""

    kind: Literal["resumed"] = "resumed"
    after_seq: int
    """The `seq` of the checkpoint's event; what lies between is taken back."""
    attempt: int
    step: int
    timed_s: Seconds


class RefereeFailed(EventData):
    """The referee could not go on, and the trial ends."""

    kind: Literal["referee_failed"] = "referee_failed"
    why: str


class NoReadings(Recorded):
    """The attempt ended before the machine was read."""


class End(EventData):
    """The attempt ended with a result."""

    kind: Literal["end"] = "end"
    result: Result
    clock: dict[str, Seconds] | None = None
    """The seconds of each of the clock's entries, of which `timed_s` is one; None if imported."""
    machine: MachineChange | NoReadings | None = None
    """What changed since GO; None if imported."""

    @model_validator(mode="after")
    def _is_timed(self) -> End:
        if self.clock is not None and "timed_s" not in self.clock:
            raise ValueError("the clock lacks 'timed_s'")
        return self

    @property
    def machine_change(self) -> MachineChange | None:
        """What changed since GO, if two readings were taken."""
        return self.machine if isinstance(self.machine, MachineChange) else None


class Rerun(EventData):
    """By explicit command alone: the ended trial is open again."""

    kind: Literal["rerun"] = "rerun"
    attempt: int
    """Whose end it takes back."""
    state: State
    events: str
    """The hash of that end."""
    reason: str
