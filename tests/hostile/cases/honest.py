"""Plain gradient descent; a case overrides what it attacks. It acts once, in the timed part."""

from collections.abc import Callable

import torch
from torch import Tensor

from harness.frameworks.torch.problem import TorchProblem
from harness.submission.interface import Hyperparameters, Stream

SETUPS: list[object] = []
"""The first is the warm-up's, the second the trial's; each of the case's own class."""


def succeed(what: str) -> None:
    print(f"SUCCEEDED: {what}", flush=True)


def attempt(act: Callable[[], object], what: str) -> None:
    """Say whether an act worked or was refused."""
    try:
        act()
    except (OSError, ValueError, MemoryError) as error:
        print(f"refused: {type(error).__name__}: {error}", flush=True)
    else:
        succeed(what)


class Honest:
    has_acted = False

    def setup(self, problem: TorchProblem, hyperparameters: Hyperparameters) -> None:
        SETUPS.append(self)
        self.problem = problem

    def step(self, stream: Stream[Tensor]) -> Tensor:
        if len(SETUPS) == 2 and not self.has_acted:
            self.has_acted = True
            print("acting", flush=True)
            self.act()
        loss = self.problem.batch_loss(stream.next(32))
        loss.backward()
        with torch.no_grad():
            for parameter in self.problem.parameters.values():
                assert parameter.grad is not None
                parameter.sub_(parameter.grad, alpha=0.05)
                parameter.grad = None
        return loss.detach()

    def act(self) -> None:
        pass

    def eval_parameters(self) -> dict[str, Tensor]:
        return self.problem.parameters
