"""Hands over tensors that compute only when they are read, as if that cost no time."""

import time
from typing import Any

import torch
from torch import Tensor

from .honest import SETUPS, Honest

READS = ("detach", "float", "cat", "cpu", "contiguous")


class Lazy(Tensor):
    """Works for half a second when it is read first."""

    is_due = True

    @classmethod
    def __torch_function__(
        cls,
        function: Any,
        types: object,
        arguments: tuple[object, ...] = (),
        words: dict[str, object] | None = None,
    ) -> object:
        with torch._C.DisableTorchFunctionSubclass():
            if Lazy.is_due and function.__name__ in READS:
                Lazy.is_due = False
                time.sleep(0.5)
                print("stole 0.5 s", flush=True)
            return function(*arguments, **(words or {}))


class Submission(Honest):
    def eval_parameters(self) -> dict[str, Tensor]:
        if len(SETUPS) < 2 or not self.has_acted:
            return self.problem.parameters
        Lazy.is_due = True
        return {n: p.detach().as_subclass(Lazy) for n, p in self.problem.parameters.items()}
