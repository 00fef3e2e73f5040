"""Checkpoints: everything that a restarted referee needs to resume a trial, in one atomic file.

    TRIAL/checkpoint.safetensors    the worker's tensors; as text beside them the worker's tree,
                                    which only a worker reads, and the referee's own part

Checkpoints are taken at looks after which no snapshot waits for a hit, and not more often than
requested. The log records a checkpoint's SHA-256 before the file replaces the previous one, so that
whenever the referee dies, the existing file is in the log. The file is deleted when the trial ends,
except with `keeps_end`: then one is taken at the last stop, from which branches start.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from harness.core.errors import CannotWriteError
from harness.core.files import write_through
from harness.plan.trial import Trial
from harness.protocol.messages import Snapshot
from harness.protocol.wire import STATE_PREFIX, Tensors, WireError
from harness.record.attempts import attempts_of
from harness.record.log import Event
from harness.record.schema import CheckpointWritten, NoCheckpoint
from harness.referee.checks import printable
from harness.referee.search_state import SearchState
from harness.referee.target_search import HeldSnapshot, TargetSearch
from workloads.spec import Frozen

Shapes = Mapping[str, tuple[int, ...]]
CHECKPOINT_FILE = "checkpoint.safetensors"
DRAFT_FILE = f".{CHECKPOINT_FILE}.draft"
RESUMES = "free some space and run the same command again; the trial goes on from the last"
STATE_FACTOR = 32
STATE_FLOOR_BYTES = 64 * 2**20


def model_bytes(shapes: Shapes) -> int:
    """The bytes of parameters and buffers."""
    return 4 * sum(math.prod(shape) for shape in shapes.values())


def state_limit(shapes_bytes: int) -> int:
    """The largest state that a worker may send: 64 MiB, or 32 times the model if that is more."""
    return max(STATE_FLOOR_BYTES, STATE_FACTOR * shapes_bytes)


class LastSnapshot(Frozen):
    """A snapshot without its parameters."""

    grid: int
    step: int
    timed_s: float
    examples: int

    @classmethod
    def of(cls, snapshot: HeldSnapshot) -> LastSnapshot:
        """The record of a snapshot, without its parameters."""
        return cls(
            grid=snapshot.grid,
            step=snapshot.step,
            timed_s=snapshot.timed_s,
            examples=snapshot.examples,
        )

    def to_snapshot(self) -> HeldSnapshot:
        """The snapshot again, with empty parameters, which are no longer needed."""
        return HeldSnapshot(self.grid, self.step, self.timed_s, self.examples, {})


class Position(Frozen):
    """The referee's own part of a checkpoint."""

    identity: str
    last: LastSnapshot
    timed_s: float
    others_s: dict[str, float]
    search: SearchState


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that has been read."""

    position: Position
    state: str
    tensors: Tensors
    attempt: int
    """The number of the attempt that wrote it."""
    after_seq: int
    """The `seq` of its event in the log; later events are discarded."""
    sha256: str
    """SHA-256 of its file."""


class Checkpoints:
    """Writes a trial's checkpoints.

    Args:
        folder: the trial's folder.
        trial: the trial whose identity each checkpoint names.
        every_s: the least timed seconds between two checkpoints.
        limit_bytes: the largest state.
        since_s: the timed seconds at the last checkpoint.
    """

    def __init__(
        self, folder: Path, trial: Trial, every_s: float, limit_bytes: int, since_s: float = 0.0
    ) -> None:
        self._folder, self._trial, self._every_s = folder, trial, every_s
        self._limit_bytes, self._since_s = limit_bytes, since_s
        self.state_bytes = 0
        """The largest state that the last stop requested; 0 if it requested none."""
        self._state: tuple[str, Tensors] | None = None
        self._why_not = ""

    def wanted_bytes(self, point: int, timed_s: float) -> int:
        """The largest state to request at a grid point's look; 0 for none."""
        is_time = timed_s - self._since_s >= self._every_s
        is_due = is_time if point < self._trial.grid.points else self._trial.keeps_end
        self.state_bytes = self._limit_bytes if is_due else 0
        return self.state_bytes

    def without_state(self, snapshot: Snapshot, tensors: Tensors) -> Tensors:
        """Remove the worker's state from a snapshot's tensors and keep it, if it was requested."""
        self._state = None
        if not self.state_bytes:
            return tensors
        self._why_not = "" if snapshot.state is not None else printable(snapshot.no_state) or "?"
        parts = {name: t for name, t in tensors.items() if name.startswith(STATE_PREFIX)}
        if any(not name.removeprefix(STATE_PREFIX).isdecimal() for name in parts):
            raise WireError("a state whose tensors are not numbered")
        if snapshot.state is not None:
            self._state = snapshot.state, parts
        return {name: tensor for name, tensor in tensors.items() if name not in parts}

    def keep(
        self,
        snapshot: HeldSnapshot,
        clock: tuple[float, dict[str, float]],
        search: TargetSearch,
        emit: Callable[[CheckpointWritten | NoCheckpoint], None],
    ) -> None:
        """Write a checkpoint, if the worker sent its state and no snapshot waits for a hit.

        If the worker could not send it, the record says why, and it is not requested again.

        Args:
            snapshot: the snapshot that was sent with the state.
            clock: timed seconds, and the other entries by name.
            search: its state after that snapshot.
            emit: records an event.

        Raises:
            HarnessError: it cannot be written.
        """
        if self._why_not:
            emit(NoCheckpoint(grid=snapshot.grid, why=self._why_not))
            self._why_not, self._every_s = "", math.inf
        if self._state is None or not search.is_settled:
            return
        position = Position(
            identity=self._trial.identity,
            last=LastSnapshot.of(snapshot),
            timed_s=clock[0],
            others_s=clock[1],
            search=search.state(),
        )
        event = self._write_draft(position, *self._state)
        emit(event)
        try:
            self._draft.replace(self._folder / CHECKPOINT_FILE)
        except OSError as error:
            raise CannotWriteError.of(self._folder / CHECKPOINT_FILE, error, RESUMES) from error

    def _write_draft(self, position: Position, state: str, tensors: Tensors) -> CheckpointWritten:
        """Write a checkpoint to its draft file; returns its event."""
        metadata = {"referee": position.model_dump_json(), "worker": state}
        content = save({name: np.ascontiguousarray(t) for name, t in tensors.items()}, metadata)
        try:
            write_through(self._draft, content)
        except OSError as error:
            raise CannotWriteError.of(self._draft, error, RESUMES) from error
        self._since_s = position.timed_s
        return CheckpointWritten(
            grid=position.last.grid,
            step=position.last.step,
            timed_s=position.timed_s,
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )

    @property
    def _draft(self) -> Path:
        return self._folder / DRAFT_FILE


def remove_checkpoint(folder: Path) -> None:
    """Delete the checkpoint of a trial that has ended."""
    for name in (DRAFT_FILE, CHECKPOINT_FILE):
        (folder / name).unlink(missing_ok=True)


def read_checkpoint(folder: Path, trial: Trial, events: Sequence[Event]) -> Checkpoint | None:
    """Read the checkpoint of a trial's last attempt; None if its log names none.

    Args:
        folder: the trial's folder.
        trial: the trial that the checkpoint must belong to.
        events: the trial's log.
    """
    attempts, path = attempts_of(events), folder / CHECKPOINT_FILE
    if not attempts or not path.is_file():
        return None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    event_numbers = [
        event.seq
        for event in attempts[-1].events
        if isinstance(event.data, CheckpointWritten) and event.data.sha256 == digest
    ]
    if not event_numbers:
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            metadata, names = file.metadata(), file.keys()
            tensors: Tensors = {name: file.get_tensor(name) for name in names}
        state = metadata["worker"]
        position = Position.model_validate_json(metadata["referee"])
    except (OSError, SafetensorError, ValidationError, KeyError, TypeError):
        return None
    if position.identity != trial.identity:
        return None
    number = attempts[-1].number
    return Checkpoint(position, state, tensors, number, event_numbers[-1], digest)
