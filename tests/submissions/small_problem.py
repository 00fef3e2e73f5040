"""A small perceptron to train, with a stream: what submissions that are classes are tested on."""

from __future__ import annotations

import importlib
from typing import Any

import torch

from harness.frameworks.torch.problem import TorchProblem
from harness.submission.interface import Batch, Evaluation
from submissions.common.flat import flatten
from tests.frameworks.kit import Kit

from .given_problem import default_point

ProblemAndBatch = tuple[TorchProblem, Batch[torch.Tensor]]
"""A problem, and a batch of it."""


def double_problem() -> ProblemAndBatch:
    """The problem in float64, and one batch of it."""
    kit = double_kit()
    return kit.problem, DoubleStream(kit).next()


class DoubleStream:
    """A kit's stream in float64."""

    def __init__(self, kit: Kit) -> None:
        self.inner = kit.stream()

    def next(self, count: int | None = None) -> Batch[torch.Tensor]:
        batch = self.inner.next(count)
        return Batch(batch.inputs.double(), batch.targets)


def double_kit() -> Kit:
    """A kit whose problem is in float64."""
    kit = Kit("torch")
    kit.problem.model.double()
    return kit


def submission(name: str, kit: Kit, **changes: object) -> Any:
    """A submission that is a class at its default point, set up."""
    module = importlib.import_module(f"submissions.{name}.submission")
    instance = module.Submission()
    instance.setup(kit.problem, default_point(name, **changes))
    return instance


def values(kit: Kit) -> torch.Tensor:
    """A copy of the live parameters as one vector."""
    return flatten(kit.problem.parameters.values())


def fisher(problem: TorchProblem, batch: Batch[torch.Tensor]) -> torch.Tensor:
    """The explicit Fisher information, which is the Gauss-Newton matrix of cross-entropy."""
    jac = jacobian(problem, batch)
    p = problem.evaluate({}, batch).logits.detach().softmax(-1)
    inner = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    return torch.einsum("nci,ncd,ndj->ij", jac, inner, jac) / len(p)


def gradient(problem: TorchProblem, batch: Batch[torch.Tensor]) -> torch.Tensor:
    """The gradient of a batch as one vector."""
    loss = problem.evaluate({}, batch).loss
    return flatten(torch.autograd.grad(loss, list(problem.parameters.values())))


def jacobian(problem: TorchProblem, batch: Batch[torch.Tensor]) -> torch.Tensor:
    """The logits' explicit Jacobian, (examples, classes, parameters), by torch.func."""

    def logits(parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        evaluation: Evaluation[torch.Tensor] = problem.evaluate(parameters, batch)
        return evaluation.logits

    live = {name: value.detach() for name, value in problem.parameters.items()}
    parts: dict[str, torch.Tensor] = torch.func.jacrev(logits)(live)
    return torch.cat([part.flatten(2) for part in parts.values()], dim=2)
