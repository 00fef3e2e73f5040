"""Elastic averaging SGD: several replicas of the parameters, elastically tied to a centre.

    x^i_{t+1} = x^i_t - eta (g^i_t + mu u^i_{t+1}) - alpha (x^i_t - x~_t)      i = 1, ..., p
    u^i_{t+1} = mu u^i_t + g^i_t,   g^i_t the gradient at x^i_t on the replica's own batch
    x~_{t+1}  = (1 - beta) x~_t + beta (1/p) sum_i x^i_t,   beta = p alpha

The elastic terms act only on every `period`-th step. In the thesis's notation alpha = eta rho, and
beta = p alpha is the elastic symmetry: the centre moves by the sum of what the elastic terms
subtract from the replicas. Evaluation uses the centre.

Source: Zhang, Choromanska and LeCun (2015): synchronous EASGD for mu = 0, EAMSGD otherwise.

Deviations: all replicas live in one process and take turns, so a step costs p passes. beta is the
searched hyperparameter and is not affected by the schedule of eta, as in the paper's experiments.
Nesterov momentum has the form used in `sgd`, whose iterate is the point at which the gradient is
taken. Weight decay is coupled.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.submission.interface import Stream
from submissions.common.flat import flatten, unflatten
from submissions.common.methods import FixedLoss, Method, fresh_random


class Submission(Method):
    """The method of Zhang, Choromanska and LeCun."""

    def begin(self) -> None:
        """Start all replicas at the centre."""
        start, replicas = flatten(self.parameters), range(int(self.point["replicas"]))
        self.state["centre"] = start.clone()
        self.state["replicas"] = [start.clone() for _ in replicas]
        self.state["momenta"] = [torch.zeros_like(start) for _ in replicas]
        self.state["steps"] = 0

    def move(self, stream: Stream[Tensor]) -> Tensor:
        """Move every replica on its own batch; return the mean of their losses before the move."""
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
        """alpha (x^i - x~) before the replicas move; empty between communication steps."""
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
