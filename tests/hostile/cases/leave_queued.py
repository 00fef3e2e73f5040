"""Leaves work queued on a device when it says that it has stopped: `synchronize` does not wait.

An honest worker's waits for the device, as `torch.cuda.synchronize` does.
"""

import importlib

from harness.submission.interface import Hyperparameters, Problem, Stream

from .device import Device
from .facts import BACKEND, DEVICE, IS_HONEST

module, name = BACKEND
backend = getattr(importlib.import_module(module), name)
device = Device(DEVICE)
backend.synchronize = (lambda self: device.wait()) if IS_HONEST else (lambda self: None)


class Submission:
    def setup(self, problem: Problem[object], hyperparameters: Hyperparameters) -> None:
        self.problem = problem

    def step(self, stream: Stream[object]) -> None:
        stream.next()
        device.queue(0.02)

    def eval_parameters(self) -> dict[str, object]:
        return self.problem.parameters
