"""Elastic averaging SGD: several replicas of the parameters, tied by springs to a centre.

    x^i_{t+1} = x^i_t - eta (g^i_t + mu u^i_{t+1}) - alpha (x^i_t - x~_t)      i = 1, ..., p
    u^i_{t+1} = mu u^i_t + g^i_t,   g^i_t the gradient of a batch of its own at x^i_t
    x~_{t+1}  = (1 - beta) x~_t + beta (1/p) sum_i x^i_t,   beta = p alpha

The elastic terms act in every `period`-th step only. alpha = eta rho in the thesis's notation, and
beta = p alpha is the elastic symmetry: what the springs take from the replicas the centre gains.
The centre is evaluated.

Source: Zhang, Choromanska and LeCun (2015): synchronous EASGD for mu = 0, EAMSGD otherwise.

Deviations: all replicas live in one process and take turns, so a step costs p passes. beta is what
is searched and stays as it is while eta is scheduled, as in the paper's experiments. Nesterov's
momentum is in the form of `sgd`, whose iterate is the point at which the gradient is taken. Weight
decay is coupled.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.submission.interface import Stream
from submissions.common.flat import flatten, unflatten
from submissions.common.methods import FixedLoss, Method, fresh_random


class Submission(Method):
    """Zhang, Choromanska and LeCun's method."""

    def begin(self) -> None:
        """All replicas start at the centre."""
        start, replicas = flatten(self.parameters), range(int(self.point["replicas"]))
        self.state["centre"] = start.clone()
        self.state["replicas"] = [start.clone() for _ in replicas]
        self.state["momenta"] = [torch.zeros_like(start) for _ in replicas]
        self.state["steps"] = 0

    def move(self, stream: Stream[Tensor]) -> Tensor:
        """One batch and one move of every replica; the mean of their losses before it."""
        pulls = self._pulls()
        losses = [self._move(i, stream) for i in range(len(self.state["replicas"]))]
        for replica, pull in zip(self.state["replicas"], pulls, strict=False):
            replica.sub_(pull)
            self.state["centre"].add_(pull)
        self.state["steps"] += 1
        return torch.tensor(sum(losses) / len(losses))

    def eval_parameters(self) -> Mapping[str, Tensor]:
        """The centre."""
        parts = unflatten(self.state["centre"], self.parameters)
        return dict(zip(self.problem.parameters, parts, strict=True))

    def _pulls(self) -> list[Tensor]:
        """alpha (x^i - x~), before anything moves; none between communications."""
        if self.state["steps"] % int(self.point["period"]) != 0:
            return []
        alpha = self.point["elasticity"] / len(self.state["replicas"])
        return [alpha * (replica - self.state["centre"]) for replica in self.state["replicas"]]

    def _move(self, i: int, stream: Stream[Tensor]) -> float:
        replica, momentum = self.state["replicas"][i], self.state["momenta"][i]
        loss, gradient = FixedLoss(self.problem, stream.next(), fresh_random(self.problem))(replica)
        gradient = self.clipped(gradient).add(replica, alpha=self.point["weight_decay"])
        momentum.mul_(self.point["momentum"]).add_(gradient)
        gradient.add_(momentum, alpha=self.point["momentum"])
        replica.sub_(gradient, alpha=self.learning_rate() or 0.0)
        return loss
