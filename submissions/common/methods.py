"""Base class of submissions written as classes, and the loss of one batch as a function."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from harness.submission.interface import Batch, Hyperparameters
from submissions.common import schedules
from submissions.common.clipping import clip_gradients
from submissions.common.flat import unflatten
from submissions.common.optimizers import State
from submissions.common.products import LiveProblem, parameters_of
from submissions.common.scheduled_method import ScheduledMethod

SEEDS = 2**62


class Method(ScheduledMethod[Tensor]):
    """A submission class whose whole state is parameters, generator, schedule and `state`.

    Attributes:
        parameters: the live parameters, in declared order.
        state: numbers, tensors and lists of them, by name; the only state of `begin` and `move`.
    """

    problem: LiveProblem
    parameters: list[Tensor]
    state: State

    def setup(self, problem: LiveProblem, hyperparameters: Hyperparameters) -> None:
        """Store the problem and initialise `state`."""
        self.problem = problem
        self.parameters = list(parameters_of(problem))
        self.state = {}
        self.setup_point(hyperparameters)
        self.begin()

    @abstractmethod
    def begin(self) -> None:
        """Initialise `state` from the problem and the hyperparameters."""

    def eval_parameters(self) -> Mapping[str, Tensor]:
        """The live parameters."""
        return self.problem.parameters

    def clip_gradients(self, gradient: Tensor) -> Tensor:
        """Clip the gradient of all parameters, (n,), to the norm `clip`."""
        return clip_gradients([gradient], self.clip)[0]

    def state_dict(self) -> State:
        """The parameters, the generator's and the schedule's state, and `state`."""
        return {
            "parameters": dict(self.problem.parameters),
            "generator": self.problem.generator.get_state(),
            "schedule": schedules.state_of(self._schedule),
            **self.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state returned by `state_dict`."""
        values_by_name = copy.deepcopy(dict(state))
        values = values_by_name.pop("parameters")
        with torch.no_grad():
            for name, live in self.problem.parameters.items():
                live.copy_(values[name])
        self.problem.generator.set_state(values_by_name.pop("generator"))
        schedules.restore(self._schedule, values_by_name.pop("schedule"))
        self.state = values_by_name


class FixedLoss:
    """The loss of one batch under a fixed random state, as a function of the parameter vector.

    Args:
        problem: the problem to evaluate; its live parameters are not modified.
        batch: the examples.
        random: random state used by every pass, as in `problem.evaluate`.
    """

    def __init__(self, problem: LiveProblem, batch: Batch[Tensor], random: torch.Generator) -> None:
        self.problem, self.batch, self.random = problem, batch, random

    def __call__(self, vector: Tensor) -> tuple[float, Tensor]:
        """The loss and its gradient, (n,), at a vector (n,)."""
        leaf = vector.detach().requires_grad_()
        with torch.enable_grad():
            loss = self._loss(leaf)
        (gradient,) = torch.autograd.grad(loss, leaf)
        return float(loss.detach()), gradient

    @torch.no_grad()
    def value(self, vector: Tensor) -> float:
        """The loss without its gradient."""
        return float(self._loss(vector))

    def _loss(self, vector: Tensor) -> Tensor:
        live = self.problem.parameters
        parts = dict(zip(live, unflatten(vector, list(live.values())), strict=True))
        return self.problem.evaluate(parts, self.batch, self.random).loss


def first_examples(batch: Batch[Tensor], fraction: float) -> Batch[Tensor]:
    """The first `fraction` of a batch, at least one example; no copy if that is all of it."""
    count = max(1, round(fraction * len(batch.targets)))
    if count == len(batch.targets):
        return batch
    return Batch(batch.inputs[:count], batch.targets[:count])


def fresh_random(problem: LiveProblem) -> torch.Generator:
    """A random state for all passes over one batch, seeded from the problem's generator."""
    seed = torch.randint(SEEDS, (), generator=problem.generator, device=problem.device)
    return torch.Generator(problem.device).manual_seed(int(seed))
