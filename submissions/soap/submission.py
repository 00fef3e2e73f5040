"""SOAP: Adam in the eigenbases of Shampoo's factors.

    L_t = beta_s L_{t-1} + (1 - beta_s) G_t G_t^T,   R_t = beta_s R_{t-1} + (1 - beta_s) G_t^T G_t
    every T_prec steps:  U_L, U_R <- one step of orthogonal iteration with L_t, R_t
    G~_t = U_L^T G_t U_R
    M~_t = beta1 M~_{t-1} + (1 - beta1) G~_t,   V_t = beta2 V_{t-1} + (1 - beta2) G~_t * G~_t
    N_t  = M^_t / (sqrt(V^_t) + epsilon),  M^ and V^ bias-corrected
    W_{t+1} = (1 - eta lambda) W_t - eta U_L N_t U_R^T

on hidden matrices and kernels, AdamW elsewhere. The first gradient is only used to initialise the
bases, by eigendecomposition. When a basis is refreshed, V is permuted with its vectors.

Source: Vyas et al. (2025), Algorithm 3, and their code.

Deviations: the momentum is kept in the rotated space and rotated with the bases, which gives the
same iterates with two projections per step instead of four (the thesis's algorithm box has no
momentum). Decay is applied before the step, as in AdamW. Bases are refreshed one at a time, spread
over the T_prec steps, so that no single step bears the whole cost; all at once, as in the source,
with `stagger = false`. Projections use bfloat16 where the hardware supports it. A dimension longer
than `max_dim` keeps the identity. Kernels are flattened to (out, in * height * width). A gradient
with an entry above 4e6 is scaled down to that, so that its powers do not overflow.
"""

from __future__ import annotations

from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import (
    CombinedOptimizer,
    TorchProblem,
    adamw,
    adaptive_settings,
    by_role,
)
from workloads.parameters import Role

from .optimizer import Soap

ROLES = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """SOAP on hidden matrices and kernels, AdamW on the rest, with their shared schedule."""
    return build_relative(Soap, problem, hyperparameters, "stagger")


def build_relative(
    kind: type[Soap],
    problem: TorchProblem,
    hyperparameters: Hyperparameters,
    *names: str,
    rate: str = "learning_rate",
) -> tuple[Optimizer, Schedule]:
    """SOAP or a relative on hidden matrices and kernels, AdamW on the rest, with their schedule.

    Args:
        kind: the class.
        problem: the problem whose parameters to optimise.
        hyperparameters: those of SOAP's point, and `names`.
        names: hyperparameters that only the relative has.
        rate: name of the learning rate of AdamW.
    """
    matrices, rest = by_role(problem, ROLES)
    parts: list[Optimizer] = []
    if matrices:
        own = ("factor_beta", "refresh_every", "max_dim", "matmul_dtype", *names)
        values = [problem.parameters[name] for name in matrices]
        parts.append(kind(values, **adaptive_settings(hyperparameters, *own)))
    if rest:
        others = [problem.parameters[name] for name in rest]
        parts.append(adamw(others, hyperparameters, rate))
    return CombinedOptimizer(*parts), schedules.from_hyperparameters(hyperparameters, spike_phase=1)
