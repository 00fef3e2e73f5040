"""Sends a snapshot of its best moment unasked."""

import gc

from harness.worker.worker import Worker

from .honest import Honest


class Submission(Honest):
    def act(self) -> None:
        next(found for found in gc.get_objects() if isinstance(found, Worker))._submit_snapshot(
            None, 0
        )
