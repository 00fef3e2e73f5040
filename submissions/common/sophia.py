"""Sophia's update, with the estimator of the Hessian's diagonal left to subclasses."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from harness.submission.interface import Batch, Stream
from submissions.common.clipping import clip_gradients
from submissions.common.methods import Method, first_examples


class Sophia(Method):
    """Base class of Sophia-G and Sophia-H.

    Hyperparameters: `learning_rate`, `beta1`, `beta2`, `gamma`, `rho`, `epsilon`, `weight_decay`,
    `estimate_every`, `estimate_fraction` and those of the schedule.
    """

    averages_weights = False

    @abstractmethod
    def estimate(self, batch: Batch[Tensor]) -> list[Tensor]:
        """An estimate of the diagonal, shaped as the parameters."""

    def begin(self) -> None:
        """Initialise the averages to zero."""
        self.state = {"steps": 0}
        for name in ("momentum", "curvature"):
            self.state[name] = [torch.zeros_like(value) for value in self.parameters]

    def move(self, stream: Stream[Tensor]) -> Tensor:
        """Train on one batch, updating the curvature estimate first if due; return the loss."""
        batch, state, point = stream.next(), self.state, self.point
        if state["steps"] % point["estimate_every"] == 0:
            estimate = self.estimate(first_examples(batch, point["estimate_fraction"]))
            _average(state["curvature"], estimate, point["beta2"])
        loss = self.problem.batch_loss(batch)
        gradients = torch.autograd.grad(loss, self.parameters, materialize_grads=True)
        _average(state["momentum"], clip_gradients(gradients, self.clip), point["beta1"])
        with torch.no_grad():
            self._move(self.learning_rate() or 0.0)
        state["steps"] += 1
        return loss.detach()

    def _move(self, rate: float) -> None:
        point = self.point
        for group in _groups(self.parameters):
            values = [self.parameters[i] for i in group]
            scale = torch._foreach_mul([self.state["curvature"][i] for i in group], point["gamma"])
            torch._foreach_clamp_min_(scale, point["epsilon"])
            steps = torch._foreach_div([self.state["momentum"][i] for i in group], scale)
            torch._foreach_clamp_min_(steps, -point["rho"])
            torch._foreach_clamp_max_(steps, point["rho"])
            # a clip makes a finite step of what is infinite; 0 times it is NaN, so it shows up
            for averages in (self.state["momentum"], self.state["curvature"]):
                torch._foreach_add_(steps, [averages[i] for i in group], alpha=0.0)
            torch._foreach_mul_(values, 1 - rate * point["weight_decay"])
            torch._foreach_add_(values, steps, alpha=-rate)


def _average(averages: list[Tensor], values: list[Tensor], beta: float) -> None:
    for group in _groups(averages):
        torch._foreach_lerp_([averages[i] for i in group], [values[i] for i in group], 1 - beta)


def _groups(tensors: list[Tensor]) -> list[list[int]]:
    """One group of all tensors on a GPU, to save kernel launches; one per tensor on a CPU."""
    if tensors[0].device.type != "cpu":
        return [list(range(len(tensors)))]
    return [[place] for place in range(len(tensors))]
