"""A child outside the worker's group trains on whenever the worker is frozen."""

import mmap
import os
import time

from torch import Tensor

from harness.submission.interface import Stream

from .honest import Honest, succeed

MANY = 150


class Submission(Honest):
    shared: mmap.mmap | None = None

    def act(self) -> None:
        self.shared = mmap.mmap(-1, 2)
        self.counter = mmap.mmap(-1, 8)
        if os.fork() == 0:
            try:
                os.setsid()
            except OSError as error:
                print(f"refused: {error}", flush=True)
            self.go_on()

    def go_on(self) -> None:
        assert self.shared is not None
        while True:
            time.sleep(0.002)
            count = int.from_bytes(self.counter[:8], "little") + self.shared[0]
            self.counter[:8] = count.to_bytes(8, "little")

    def step(self, stream: Stream[Tensor]) -> Tensor:
        if self.shared:
            self.shared[0] = 0
        return super().step(stream)

    def eval_parameters(self) -> dict[str, Tensor]:
        if self.shared:
            if int.from_bytes(self.counter[:8], "little") > MANY:
                succeed("computed while frozen")
            self.shared[0] = 1
        return super().eval_parameters()
