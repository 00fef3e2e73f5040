"""Entropy-SGD: steps along the gradient of the local entropy, estimated by Langevin dynamics.

    F(x, gamma) = log integral exp(-f(x') - gamma/2 ||x - x'||^2) dx'
    x', mu <- x;   repeat L times, each on a new batch:
        x' <- x' - eta' (grad f(x') - gamma (x - x')) + sqrt(2 eta') epsilon N(0, I)
        mu <- (1 - alpha) mu + alpha x'
    x <- x - eta (x - mu),   where gamma (x - mu) estimates -grad F(x, gamma)
    gamma <- gamma (1 + scoping)

Source: Chaudhari et al. (2017), Algorithm 1 and section 4, and the authors' two codes, in Lua and
in Python. Where paper and codes differ, both codes agree, and this follows them:

- alpha is 0.25: the paper gives 0.75, the codes put 0.75 on the old average.
- The noise is sqrt(2 eta') epsilon N(0, I), the paper's Algorithm 1 has sqrt(eta'). With the factor
  2 and epsilon = 1 the inner loop's stationary distribution is exp(-f(x') - gamma/2 ||x - x'||^2),
  as eta' tends to 0.
- eta is the paper's eta times gamma, otherwise a step would be as small as gamma, near 1e-2.
- The pull to x and the noise stay outside the inner loop's momentum.

Deviations: the outer step has neither momentum nor weight decay, as in the Lua code; the Python
code adds both. `langevin_momentum` is Nesterov's, as in the paper's larger experiments; it is 0 by
default. `weight_decay` (lambda), absent from the equations, adds lambda x' to grad f(x'), inside
the momentum, as in the Python code. The schedule multiplies eta. gamma stops growing at 1 / eta',
where one step returns x' to x; at twice that the inner loop diverges.
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
        new_scope = self.state["scope"] * (1.0 + self.point["scoping"])
        if new_scope * self.point["langevin_rate"] <= 1.0:
            self.state["scope"] = new_scope
        return torch.tensor(sum(losses) / len(losses))

    def _langevin(self, stream: Stream[Tensor], x: Tensor, inner: Tensor, u: Tensor) -> float:
        """Take one Langevin step on x' in place; return the loss before it."""
        rate, rho = self.point["langevin_rate"], self.point["langevin_momentum"]
        loss, gradient = FixedLoss(self.problem, stream.next(), fresh_random(self.problem))(inner)
        gradient = self.clip_gradients(gradient).add(inner, alpha=self.point["weight_decay"])
        u.mul_(rho).add_(gradient)
        gradient.add_(u, alpha=rho).add_(inner - x, alpha=self.state["scope"])
        inner.sub_(gradient, alpha=rate)
        noise = torch.empty_like(inner).normal_(generator=self.problem.generator)
        inner.add_(noise, alpha=(2.0 * rate) ** 0.5 * self.point["noise"])
        return loss
