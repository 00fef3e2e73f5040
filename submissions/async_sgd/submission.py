"""Asynchronous SGD of several workers on simulated clocks: elastic averaging, or DOWNPOUR.

Worker i has parameters x^i, a number of steps t^i and a clock; a step of it takes the time
1 + slowness i / (p - 1), i = 0, ..., p - 1. The worker that finishes first moves next (of two, the
one with the lower i); g is its gradient at x^i on the next batch:

    elastic     if tau divides t^i:   d = alpha (x^i - x~),   x^i <- x^i - d,   x~ <- x~ + d
                x^i <- x^i - eta g,   g taken before d
    downpour    if tau divides t^i:   x~ <- x~ + v^i,   x^i <- x~,   v^i <- 0
                x^i <- x^i - eta g,   v^i <- v^i - eta g

One step of the submission is p such moves, as many batches as a step of `ea_sgd` takes. The centre
x~ is evaluated. `moving_rate` is alpha, eta rho in the thesis's notation, and `period` tau. With
`slowness` 0 the workers take turns, the round robin for which the elastic rule is stable at a
curvature h, e = eta h and tau = 1, if 0 <= e <= 2 and 0 <= alpha <= (4 - 2 e) / (4 - e), for any p.

Sources: Zhang, Choromanska and LeCun (2015), Algorithm 1 for the elastic rule, section 4 for its
stability and section 5 for DOWNPOUR, which is due to Dean et al. (2012), there with AdaGrad.

Deviations: the workers run one after the other in one process, so which of them finishes next does
not depend on the machine. Weight decay is coupled: lambda x^i is added to g.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Stream
from submissions.common.flat import flatten, unflatten
from submissions.common.methods import FixedLoss, Method, fresh_random

RULES = ("elastic", "downpour")


class Submission(Method):
    """Workers that meet at a centre, each in its own time."""

    def begin(self) -> None:
        """Start all workers at the centre, at time 0."""
        count = int(self.point["workers"])
        if self.point["rule"] not in RULES:
            raise UnknownNameError("rule", self.point["rule"], RULES)
        if count < 1 or self.point["slowness"] < 0.0 or int(self.point["period"]) < 1:
            raise HarnessError(
                f"workers is {count}, slowness {self.point['slowness']}, period "
                f"{self.point['period']}",
                "allowed: at least 1, at least 0, and at least 1",
            )
        start = flatten(self.parameters)
        self.state["centre"] = start.clone()
        self.state["workers"] = [start.clone() for _ in range(count)]
        if self.point["rule"] == "downpour":
            self.state["pending"] = [torch.zeros_like(start) for _ in range(count)]
        self.state["steps"] = [0] * count
        self.state["clocks"] = [self._duration(i) for i in range(count)]

    def move(self, stream: Stream[Tensor]) -> Tensor:
        """As many moves as there are workers; return the mean of their losses before them."""
        losses = [self._advance(stream) for _ in self.state["workers"]]
        return torch.tensor(sum(losses) / len(losses))

    def _advance(self, stream: Stream[Tensor]) -> float:
        """Move the worker that finishes first; return its loss before the move."""
        i = min(range(len(self.state["clocks"])), key=lambda j: (self.state["clocks"][j], j))
        worker = self.state["workers"][i]
        if self.point["rule"] == "downpour":
            self._push(i)
        loss_of = FixedLoss(self.problem, stream.next(), fresh_random(self.problem))
        loss, gradient = loss_of(worker)
        gradient = self.clip_gradients(gradient).add(worker, alpha=self.point["weight_decay"])
        if self.point["rule"] == "elastic":
            self._pull(i)
        step = gradient * -(self.learning_rate() or 0.0)
        worker.add_(step)
        if self.point["rule"] == "downpour":
            self.state["pending"][i].add_(step)
        self.state["steps"][i] += 1
        self.state["clocks"][i] += self._duration(i)
        return loss

    def eval_parameters(self) -> Mapping[str, Tensor]:
        """The centre."""
        parts = unflatten(self.state["centre"], self.parameters)
        return dict(zip(self.problem.parameters, parts, strict=True))

    def _push(self, i: int) -> None:
        """Add a worker's pending update to the centre, and copy the centre to the worker."""
        if self._meets(i):
            self.state["centre"].add_(self.state["pending"][i])
            self.state["workers"][i].copy_(self.state["centre"])
            self.state["pending"][i].zero_()

    def _pull(self, i: int) -> None:
        """Draw a worker and the centre together."""
        if self._meets(i):
            worker, centre = self.state["workers"][i], self.state["centre"]
            pull = self.point["moving_rate"] * (worker - centre)
            worker.sub_(pull)
            centre.add_(pull)

    def _meets(self, i: int) -> bool:
        return bool(self.state["steps"][i] % int(self.point["period"]) == 0)

    def _duration(self, i: int) -> float:
        """The time of one of a worker's steps."""
        return 1.0 + float(self.point["slowness"]) * i / max(1, int(self.point["workers"]) - 1)
