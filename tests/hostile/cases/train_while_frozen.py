"""A thread trains on whenever the main one is frozen."""

import threading
import time

from torch import Tensor

from harness.submission.interface import Stream

from .honest import Honest, succeed

MANY = 150


class Submission(Honest):
    is_stopped, stolen = False, 0

    def act(self) -> None:
        threading.Thread(target=self.go_on, daemon=True).start()

    def go_on(self) -> None:
        while True:
            time.sleep(0.002)
            self.stolen += self.is_stopped

    def step(self, stream: Stream[Tensor]) -> Tensor:
        self.is_stopped = False
        return super().step(stream)

    def eval_parameters(self) -> dict[str, Tensor]:
        if self.stolen > MANY:
            succeed("computed while frozen")
        self.is_stopped = True
        return super().eval_parameters()
