"""TensorBoard events of one trial, written as its record grows."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event as EventProto
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from harness.core.errors import CannotWriteError
from harness.record.schema import Begin, End, Resumed, TrialEvent
from harness.record.sinks.hparams import end_of, start_of
from harness.record.sinks.scalars import Scalars, scalars_of
from harness.record.store import TRIAL_FILE, read_record


class TensorBoard:
    """Writes snapshots and evaluations as scalars over steps, and a trial's point and end as a
    session of the HParams tab, which each attempt and each resumption restarts.

    Events are written synchronously: TensorBoard's own thread would compute beside the trial, and
    die with a traceback on a full disk.

    Raises:
        HarnessError: the file cannot be written; the methods raise this too.
    """

    def __init__(self, folder: Path) -> None:
        now_s = time.time()
        self._trial_file = folder.parent / TRIAL_FILE
        self._path = folder / f"events.out.tfevents.{now_s:.6f}.{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb", buffering=0)
        except OSError as error:
            raise CannotWriteError.of(self._path, error) from error
        self._records = RecordWriter(self._file)
        self._write(EventProto(wall_time=now_s, file_version="brain.Event:2"))

    def show(self, event: TrialEvent) -> None:
        """Write the scalars of one event, if it has any."""
        if isinstance(event, Begin | Resumed):
            trial, now_s = read_record(self._trial_file).trial, time.time()
            self._write(EventProto(wall_time=now_s, summary=start_of(trial, now_s)))
        if (scalars := scalars_of(event)) is not None:
            self._scalars(scalars)
        if isinstance(event, End):
            now_s = time.time()
            self._write(EventProto(wall_time=now_s, summary=end_of(event.result, now_s)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _scalars(self, scalars: Scalars) -> None:
        summary = Summary(
            value=[
                Summary.Value(tag=tag, simple_value=value)
                for tag, value in scalars.values.items()
                if value is not None
            ]
        )
        self._write(EventProto(wall_time=time.time(), step=scalars.step, summary=summary))

    def _write(self, event: EventProto) -> None:
        try:
            self._records.write(event.SerializeToString())
        except OSError as error:
            raise CannotWriteError.of(self._path, error) from error
