"""Elastic averaging SGD: several replicas of the parameters, elastically tied to a centre.

    v^i_{t+1} = mu v^i_t - eta g^i_t,   g^i_t the gradient at x^i_t + mu v^i_t on its own batch
    x^i_{t+1} = x^i_t + v^i_{t+1} - alpha (x^i_t - x~_t)      i = 1, ..., p
    x~_{t+1}  = (1 - beta) x~_t + beta (1/p) sum_i x^i_t,   beta = p alpha

The elastic terms act only on every `period`-th step. In the thesis's notation alpha = eta rho, and
beta = p alpha is the elastic symmetry: the centre moves by the sum of what the elastic terms
subtract from the replicas. Evaluation uses the centre.

Where the loss has curvature h, mu = 0 and e = eta h, the iteration is stable for

    0 <= e <= 2,   0 <= alpha <= (4 - 2 e) / (2 + p (2 - e))

The thesis's (4 - 2 e) / (4 - e) is this with p = 1: there one replica moves at a time, here all
move and pull at once. At e = 0 the bound on beta is 2 p / (p + 1), beyond which nothing is stable;
a larger `elasticity` is refused.

Source: Zhang, Choromanska and LeCun (2015): synchronous EASGD for mu = 0, EAMSGD otherwise.

Deviations: all replicas live in one process and take turns, so a step costs p passes. beta is the
searched hyperparameter and is not affected by the schedule of eta, as in the paper's experiments.
Weight decay is coupled: lambda (x + mu v) is added to g.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.core.errors import HarnessError
from harness.submission.interface import Stream
from submissions.common.flat import flatten, unflatten
from submissions.common.methods import FixedLoss, Method, fresh_random


class Submission(Method):
    """The method of Zhang, Choromanska and LeCun."""

    def begin(self) -> None:
        """Start all replicas at the centre."""
        count, beta = int(self.point["replicas"]), self.point["elasticity"]
        most = 2.0 * count / (count + 1)
        if not 0.0 <= beta <= most:
            raise HarnessError(
                f"elasticity is {beta} with {count} replicas",
                f"allowed: 0 to 2 p / (p + 1) = {most:.3g}, beyond which the centre diverges "
                "at any learning rate",
            )
        start = flatten(self.parameters)
        self.state["centre"] = start.clone()
        self.state["replicas"] = [start.clone() for _ in range(count)]
        self.state["velocities"] = [torch.zeros_like(start) for _ in range(count)]
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
        replica, velocity = self.state["replicas"][i], self.state["velocities"][i]
        ahead = replica.add(velocity, alpha=self.point["momentum"])
        loss, gradient = FixedLoss(self.problem, stream.next(), fresh_random(self.problem))(ahead)
        gradient = self.clip_gradients(gradient).add(ahead, alpha=self.point["weight_decay"])
        velocity.mul_(self.point["momentum"]).sub_(gradient, alpha=self.learning_rate() or 0.0)
        replica.add_(velocity)
        return loss
