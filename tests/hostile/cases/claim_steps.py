"""Claims steps that it has not made."""

import gc

from harness.worker.worker import Worker

from .honest import Honest


class Submission(Honest):
    def act(self) -> None:
        worker = next(found for found in gc.get_objects() if isinstance(found, Worker))
        worker._step = 10**12
