"""Entropy-SGD: steps along the gradient of the local entropy, estimated by Langevin dynamics.

    F(x, gamma) = log integral exp(-f(x') - gamma/2 ||x - x'||^2) dx'
    x', mu <- x;   repeat L times, each on a new batch:
        x' <- x' - eta' (grad f(x') - gamma (x - x')) + sqrt(eta') epsilon N(0, I)
        mu <- (1 - alpha) mu + alpha x'
    x <- x - eta (x - mu),   where gamma (x - mu) estimates -grad F(x, gamma)
    gamma <- gamma (1 + scoping)

Source: Chaudhari et al. (2017), Algorithm 1 and section 4; eta' = 0.1, alpha = 0.75, L = 20.

Deviations: eta here is the paper's eta times gamma, as in the authors' code: otherwise the step
would be as small as gamma, near 1e-2. The schedule multiplies eta. `langevin_momentum` adds
Nesterov momentum to the inner loop, which the paper uses in its larger experiments; it is 0 by
default. `weight_decay` (lambda), absent from the equations, adds lambda x' to grad f(x'). gamma
stops growing at 1 / eta', where one step returns x' to x; at twice that the inner loop diverges.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.submission.interface import Stream
from submissions.common.flat import add, flatten
from submissions.common.methods import FixedLoss, Method, fresh_random


class Submission(Method):
    """The method of Chaudhari et al."""

    def begin(self) -> None:
        """Start with the scope given by the hyperparameters."""
        self.state["scope"] = float(self.point["scope"])

    def move(self, stream: Stream[Tensor]) -> Tensor:
        """Take L Langevin steps, then one towards their average; return the mean inner loss."""
        x = flatten(self.parameters)
        inner, average, momentum = x.clone(), x.clone(), torch.zeros_like(x)
        losses = []
        for _ in range(int(self.point["langevin_steps"])):
            losses.append(self._langevin(stream, x, inner, momentum))
            average.lerp_(inner, self.point["averaging"])
        add(self.parameters, average - x, self.learning_rate() or 0.0)
        grown = self.state["scope"] * (1.0 + self.point["scoping"])
        if grown * self.point["langevin_rate"] <= 1.0:
            self.state["scope"] = grown
        return torch.tensor(sum(losses) / len(losses))

    def _langevin(self, stream: Stream[Tensor], x: Tensor, inner: Tensor, u: Tensor) -> float:
        """Take one Langevin step on x' in place; return the loss before it."""
        rate, rho = self.point["langevin_rate"], self.point["langevin_momentum"]
        loss, gradient = FixedLoss(self.problem, stream.next(), fresh_random(self.problem))(inner)
        gradient = self.clipped(gradient).add(inner - x, alpha=self.state["scope"])
        gradient.add_(inner, alpha=self.point["weight_decay"])
        u.mul_(rho).add_(gradient)
        inner.sub_(gradient.add_(u, alpha=rho), alpha=rate)
        noise = torch.empty_like(inner).normal_(generator=self.problem.generator)
        inner.add_(noise, alpha=rate**0.5 * self.point["noise"])
        return loss
