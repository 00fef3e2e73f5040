"""Shampoo: gradients preconditioned by inverse roots of their row and column second moments.

    L_t = beta2 L_{t-1} + (1 - beta2) G_t G_t^T,   R_t = beta2 R_{t-1} + (1 - beta2) G_t^T G_t
    L^_t = L_t / (1 - beta2^t),   R^_t = R_t / (1 - beta2^t)
    every T_prec steps:  L~ = (L^_t + lambda I)^-p,   R~ = (R^_t + lambda I)^-p,   p = 1/4
    M_t = beta1 M_{t-1} + (1 - beta1) G_t,   M^_t = M_t / (1 - beta1^t)
    P_t = L~ M^_t R~,   Q_t = the grafted method's direction
    W_{t+1} = (1 - eta lambda_w) W_t - eta P_t ||Q_t||_F / ||P_t||_F

Q_t is M^_t / (sqrt(v^_t) + epsilon) for the graft `adam` and M^_t for `sgd`; with `none` P_t is not
rescaled. Until a parameter has its first roots, at `start` or soon after, its step is Q_t (M^_t for
`none`). One-dimensional parameters use AdamW.

Sources: Gupta et al. (2018); averages, grafting, delayed start and momentum of Shi et al. (2023).

Deviations: lambda is relative to the factor's largest eigenvalue, as in Anil et al. (2020). A
dimension longer than `max_dim` has the identity as its factor, and the other dimension then uses
the power 2 p, as for a tensor of order one. Roots are refreshed one factor at a time, spread over
the T_prec steps, so that no single step bears the whole cost; they come from an eigendecomposition,
or with `roots = "newton"` and 1 / p an integer from the coupled Newton iteration of Anil et al.
beta2 = 0 keeps only the last gradient; beta2 = 1 sums, as in Gupta et al., without a bias
correction, which grafting would cancel. Products with roots use bfloat16 where the hardware
supports it. Kernels are flattened to (out, in * height * width); dimensions are not merged. With
`block_side` matrices are split into blocks with their own factors and grafting, as in Shi et al.;
by default they are left whole. A gradient with an entry above 4e6 is scaled down to that, so that
its powers do not overflow.

Over several ranks (`problem.ranks`) each block is owned by one of them, by what it costs: the owner
alone keeps its momentum, second moment, factors and roots, and computes its grafted step, and one
all-gather a step brings the steps of all blocks to all ranks, as in Shi et al. Roots are refreshed
in the same order as on one rank, so the steps are the same; ranks work in parallel where several
roots are due. With `block_side` a large matrix is divided, too. AdamW's part is not.
"""

from __future__ import annotations

from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import CombinedOptimizer, Group, TorchProblem, adamw, by_role
from workloads.parameters import Role

from .optimizer import Shampoo

ROLES = (Role.HIDDEN_MATRIX, Role.CONVOLUTION, Role.OUTPUT, Role.EMBEDDING)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Shampoo on matrices and kernels, AdamW on the rest, with their shared schedule."""
    return build_relative(Shampoo, problem, hyperparameters)


def build_relative(
    kind: type[Shampoo], problem: TorchProblem, hyperparameters: Hyperparameters, *names: str
) -> tuple[Optimizer, Schedule]:
    """Shampoo or a relative on matrices and kernels, AdamW on the rest, with their schedule.

    Args:
        kind: the class.
        problem: the problem whose parameters to optimise.
        hyperparameters: those of Shampoo's point, and `names`.
        names: hyperparameters that only the relative has.
    """
    matrices, rest = by_role(problem, ROLES)
    parts: list[Optimizer] = []
    if matrices:
        values = [problem.parameters[name] for name in matrices]
        own = {name: hyperparameters[name] for name in names}
        shampoo = kind(values, **_settings(hyperparameters), **own)
        shampoo.ranks = problem.ranks
        parts.append(shampoo)
    if rest:
        others = [problem.parameters[name] for name in rest]
        parts.append(adamw(others, hyperparameters, "learning_rate"))
    phase = int(hyperparameters["start"]) - 1
    return CombinedOptimizer(*parts), schedules.from_hyperparameters(hyperparameters, phase)


def _settings(hyperparameters: Hyperparameters) -> Group:
    same = (
        "weight_decay", "beta1", "beta2", "power", "damping", "refresh_every", "start",
        "max_dim", "block_side", "graft", "graft_beta2", "epsilon", "matmul_dtype", "roots",
    )  # fmt: skip
    return {"lr": hyperparameters["learning_rate"]} | {n: hyperparameters[n] for n in same}
