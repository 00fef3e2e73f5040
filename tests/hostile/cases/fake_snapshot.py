"""Sends a snapshot of its best moment unasked."""

import gc

from harness.worker.worker import Worker

from .honest import Honest


class Submission(Honest):
    def act(self) -> None:
        worker = next(found for found in gc.get_objects() if isinstance(found, Worker))
        worker._snapshots.submit(worker._submission, worker._moment(None), worker._state, 0)
