"""SWATS: Adam until the equivalent SGD learning rate of its steps has converged, then SGD.

    p_t = -eta sqrt(1 - beta2^t) / (1 - beta1^t) m_t / (sqrt(v_t) + epsilon)
    w_{t+1} = w_t + (eta_t / eta) p_t
    gamma_t = <p_t, p_t> / <-p_t, g_t>,  L_t = beta2 L_{t-1} + (1 - beta2) gamma_t
    switch when t > 1 and |L_t / (1 - beta2^t) - gamma_t| < delta;  Lambda = L_t / (1 - beta2^t)

with the moments of Adam, inner products over all parameters, and eta_t the base rate eta under its
schedule. gamma_t is the learning rate at which the SGD step, projected on p_t, equals p_t. After
the switch, starting from u = 0,

    u_t = beta1 u_{t-1} + g_t
    w_{t+1} = w_t - (1 - beta1) Lambda (eta_t / eta) u_t

A point may replace the test by one of two other rules, and the estimate of Lambda by a given value:

- `switch_at` above 0: after that fraction of the budget, as in the source's section 2.
- `plateau_steps` above 0: once the running mean of the training loss (decay rate 0.9) has not
  fallen below its best by a fraction of 1e-4 for more than that many steps. The thesis describes
  SWATS like this, with the test error; `ReduceLROnPlateau` has the same rule.
- `sgd_learning_rate` above 0: Lambda.

Source: Keskar and Socher (2017), Algorithm 1.

Deviations: the source's learning rate is constant. gamma_t is computed from the base rate, not from
eta_t: rates made small by a schedule are close in absolute terms, so the second step of a slow
warmup would trigger the switch. Lambda must be positive (gamma_t may not be). The source has
delta = epsilon = 1e-9, which in a few thousand noisy steps is met by chance or never; here
`switch_tolerance` is a separate hyperparameter. Weight decay is coupled in both phases. No held-out
error is available, so the plateau is one of the training loss.
"""

from __future__ import annotations

from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import TorchProblem

from .optimizer import PlateauSwats, Swats

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""Adam's rule fits before the switch and SGD's after it, and the switch cannot be predicted."""


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """SWATS on all parameters, with its schedule."""
    kind = PlateauSwats if hyperparameters["plateau_steps"] > 0 else Swats
    optimizer = kind(
        problem.parameters.values(),
        lr=hyperparameters["learning_rate"],
        betas=(hyperparameters["beta1"], hyperparameters["beta2"]),
        eps=hyperparameters["epsilon"],
        weight_decay=hyperparameters["weight_decay"],
        switch_tolerance=hyperparameters["switch_tolerance"],
        switch_at=hyperparameters["switch_at"],
        sgd_lr=hyperparameters["sgd_learning_rate"],
        plateau_steps=hyperparameters["plateau_steps"],
        budget_fraction=lambda: problem.budget.fraction,
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
