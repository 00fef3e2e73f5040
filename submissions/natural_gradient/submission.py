"""Natural gradient descent: the inverse Fisher applied by conjugate gradients.

    F_t = E_{y ~ p(y|x; w_t)} [grad log p(y|x; w_t) grad log p(y|x; w_t)^T]
    p_t <- (F_t + lambda I)^-1 g_t, by conjugate gradients
    w_{t+1} = w_t - eta_t p_t,   eta_t = min(eta, sqrt(2 kappa / p_t^T F_t p_t))

`fisher` is "exact" (the expectation over labels in closed form, which under cross-entropy is the
Gauss-Newton matrix), "sampled" (one label sampled per target) or "empirical" (the training labels).
The thesis defines F_t by the model's own distribution, as "exact" does, and says that practice uses
the "empirical" one; its section 3.1.3 discusses the differences. g_t is the gradient of a batch of
`batch_factor` times the workload's size, and F_t uses the first `curvature_fraction` of it.

Sources: Amari (1998); Martens (2020) on the three matrices; Pascanu and Bengio (2014) for solving
by conjugate gradients.

Deviations: damping, and a bound kappa on p^T F p eta^2 / 2, the second-order approximation of the
KL divergence between the predictions before and after the step (Schulman et al., 2015); without
them the step is defined only where F has full rank. The accuracy of the solution is limited by
`cg_iterations` and the relative residual `tolerance`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harness.core.errors import UnknownNameError
from harness.submission.interface import Stream
from harness.submission.parametrisation import scalings
from submissions.common.conjugate_gradients import conjugate_gradients, residual_below
from submissions.common.flat import add
from submissions.common.methods import Method, first_examples, fresh_random
from submissions.common.products import Linearisation, Product, add_damping

FISHERS = ("exact", "sampled", "empirical")


class Submission(Method):
    """Natural gradient descent on mini-batches."""

    parametrisation_rules = ("kfac",)

    def begin(self) -> None:
        """Read the damping; there is no state apart from the parameters."""
        if self.point["fisher"] not in FISHERS:
            raise UnknownNameError("fisher", self.point["fisher"], FISHERS)
        self.damping = self._damping()

    def move(self, stream: Stream[Tensor]) -> Tensor:
        """Draw one large batch, solve for the direction and take one step."""
        batch = self.large_batch(stream)
        random = fresh_random(self.problem)
        whole = Linearisation(self.problem, batch, random)
        gradient = self.clip_gradients(whole.gradient())
        part = first_examples(batch, self.point["curvature_fraction"])
        curvature = whole if part is batch else Linearisation(self.problem, part, random)
        damping, rate = self.damping, self.learning_rate() or 0.0
        solution = conjugate_gradients(
            add_damping(self._fisher(curvature), damping),
            gradient,
            stop=residual_below(self.point["tolerance"] * float(gradient.norm())),
            iterations=self.point["cg_iterations"],
        )
        # q = p^T A p / 2 - g^T p gives p^T A p; subtracting lambda |p|^2 leaves p^T F p.
        step = solution.x
        size = 2.0 * (solution.values[-1] + float(gradient @ step)) - float(step @ (damping * step))
        bound = (2.0 * self.point["trust"] / max(size, 1e-30)) ** 0.5
        # an infinite gradient, for which the search makes no step, leaves a bound of NaN
        add(self.parameters, step, -(rate if rate <= bound else bound))
        return whole.loss

    def _damping(self) -> float | Tensor:
        """lambda, or a vector of lambda times each weight's factor under a parametrisation."""
        damping: float = self.point["damping"]
        scales = scalings(self.problem.specs, self.point)
        if not scales:
            return damping
        names = self.problem.parameters
        factors = {name: math.prod(scales[name].damping) for name in names}
        return torch.cat(
            [torch.full_like(v.flatten(), damping * factors[n]) for n, v in names.items()]
        )

    def _fisher(self, linearisation: Linearisation) -> Product:
        if self.point["fisher"] == "exact":
            return linearisation.gauss_newton()
        if self.point["fisher"] == "empirical":
            return linearisation.fisher()
        return linearisation.fisher(linearisation.sampled_targets(self.problem.generator))
