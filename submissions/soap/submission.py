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
over the T_prec steps, so that no single step bears the whole cost. Projections use bfloat16 where
the hardware supports it. A dimension longer than `max_dim` keeps the identity. Kernels are
flattened to (out, in * height * width). A gradient with an entry above 4e6 is scaled down to that,
lest its powers overflow.
"""

from __future__ import annotations

from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import Combined, TorchProblem, adamw, by_role
from workloads.parameters import Role

from .optimizer import Soap

ROLES = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """SOAP on hidden matrices and kernels, AdamW on the rest, with their shared schedule."""
    matrices, rest = by_role(problem, ROLES)
    parts: list[Optimizer] = []
    if matrices:
        soap = Soap(
            [problem.parameters[name] for name in matrices],
            lr=hyperparameters["learning_rate"],
            weight_decay=hyperparameters["weight_decay"],
            betas=(hyperparameters["beta1"], hyperparameters["beta2"]),
            factor_beta=hyperparameters["factor_beta"],
            eps=hyperparameters["epsilon"],
            refresh_every=hyperparameters["refresh_every"],
            max_dim=hyperparameters["max_dim"],
            matmul_dtype=hyperparameters["matmul_dtype"],
        )
        parts.append(soap)
    if rest:
        others = [problem.parameters[name] for name in rest]
        parts.append(adamw(others, hyperparameters, "learning_rate"))
    return Combined(*parts), schedules.from_hyperparameters(hyperparameters, spike_phase=1)
