"""What the classes of the third door share: setting up, saving, one batch's loss as a function."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from harness.core.errors import HarnessError
from harness.submission.interface import Batch, Hyperparameters, Schedule, Stream
from submissions.common import schedules
from submissions.common.clipping import bound_of, clipped
from submissions.common.flat import unflatten
from submissions.common.products import LiveProblem, parameters_of

SEEDS = 2**62


class Method(ABC):
    """A submission of the third door: parameters, generator and `state` are all it remembers.

    Attributes:
        problem: what is trained.
        point: the hyperparameters.
        parameters: the live ones, in the declared order.
        state: numbers, tensors and lists of them by name, all that `begin` and `move` keep.
        factor: the schedule's at the step under way; 1 without a schedule.
        clip: the bound on a gradient's norm, for `clipped`; 0 for none.
    """

    # `problem.evaluate` leaves running statistics alone, and what is evaluated may be an average.
    averages_weights = True
    clips_gradients = True
    # Whether it searches for the length of a step, on the loss whose gradient it follows.
    searches_lengths = False
    problem: LiveProblem
    point: Hyperparameters
    parameters: list[Tensor]
    state: dict[str, Any]

    def setup(self, problem: LiveProblem, hyperparameters: Hyperparameters) -> None:
        """Take the problem and fill `state`."""
        self.problem, self.point = problem, hyperparameters
        self.parameters = list(parameters_of(problem))
        self.state = {}
        self.factor, self.clip = 1.0, self._bound()
        self._schedule: Schedule | None = None
        if "schedule" in hyperparameters:
            self._schedule = schedules.from_hyperparameters(hyperparameters)
        self.begin()

    @abstractmethod
    def begin(self) -> None:
        """Fill `state` from problem and point."""

    @abstractmethod
    def move(self, stream: Stream[Tensor]) -> Tensor:
        """Draw batches, move the parameters; the loss before the step, a scalar."""

    def step(self, stream: Stream[Tensor]) -> Tensor:
        """One call of `move` under one factor of the schedule, whose calls may count steps."""
        if self._schedule is not None:
            progress = self.problem.budget.progress(self.point["horizon"])
            self.factor = self._schedule(progress)
        return self.move(stream)

    def eval_parameters(self) -> Mapping[str, Tensor]:
        """The live parameters."""
        return self.problem.parameters

    def learning_rate(self) -> float | None:
        """eta times its schedule in the step under way or made last, where there is one."""
        if "learning_rate" not in self.point:
            return None
        return float(self.point["learning_rate"]) * self.factor

    def clipped(self, gradient: Tensor) -> Tensor:
        """A gradient in all parameters, (n,), no longer than `clip` allows."""
        return clipped([gradient], self.clip)[0]

    def _bound(self) -> float:
        bound = bound_of(self.point)
        if bound and self.searches_lengths:
            raise HarnessError(
                f"clip is {bound}, and this method searches for the length of a step on the loss "
                "whose gradient it follows: a clipped one is no loss's",
                "set clip = 0.0, or leave it out",
            )
        return bound

    def large_batch(self, stream: Stream[Tensor]) -> Batch[Tensor]:
        """`batch_factor` times the workload's batch, but no more than all training examples."""
        wanted = int(self.point["batch_factor"]) * self.problem.batch_size
        return stream.next(min(wanted, self.problem.train_examples))

    def state_dict(self) -> Mapping[str, Any]:
        """The parameters, the generator, the schedule's state and `state`."""
        return {
            "parameters": dict(self.problem.parameters),
            "generator": self.problem.generator.get_state(),
            "schedule": schedules.state_of(self._schedule),
            **self.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        saved = copy.deepcopy(dict(state))
        values = saved.pop("parameters")
        with torch.no_grad():
            for name, live in self.problem.parameters.items():
                live.copy_(values[name])
        self.problem.generator.set_state(saved.pop("generator"))
        schedules.restore(self._schedule, saved.pop("schedule"))
        self.state = saved


class FixedLoss:
    """The loss of one batch under one random state, as a function of the vector of parameters.

    Args:
        problem: evaluated; its live parameters stay as they are.
        batch: which examples.
        random: the random state of every pass, as `problem.evaluate` takes it.
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
        """The loss alone."""
        return float(self._loss(vector))

    def _loss(self, vector: Tensor) -> Tensor:
        live = self.problem.parameters
        parts = dict(zip(live, unflatten(vector, list(live.values())), strict=True))
        return self.problem.evaluate(parts, self.batch, self.random).loss


def first_examples(batch: Batch[Tensor], share: float) -> Batch[Tensor]:
    """The first `share` of a batch, at least one example; the batch itself for all of it."""
    count = max(1, round(share * len(batch.targets)))
    if count == len(batch.targets):
        return batch
    return Batch(batch.inputs[:count], batch.targets[:count])


def fresh_random(problem: LiveProblem) -> torch.Generator:
    """A random state for all passes over one batch, drawn from the problem's generator."""
    seed = torch.randint(SEEDS, (), generator=problem.generator, device=problem.device)
    return torch.Generator(problem.device).manual_seed(int(seed))
