"""CASPR: a matrix preconditioned by the Kronecker sum of its sides' roots, not by their product.

With Shampoo's roots L~ = (L_t + lambda I)^-1/4 and R~ = (R_t + lambda I)^-1/4,

    M~_t = beta1 M_t + (1 - beta1) G_t      nesterov = true, else M_t
    J_t  = L~ M~_t + M~_t R~
    P_t  = L~ J_t + J_t R~ = L~^2 M~_t + 2 L~ M~_t R~ + M~_t R~^2
    W_{t+1} = (1 - eta lambda_w) W_t - eta P_t ||Q_t||_F / ||P_t||_F

where Q_t is Adam's direction with the same M~_t. Shampoo's step is the middle term alone. The sum's
square root lies closer to full-matrix AdaGrad's preconditioner. Factors, refreshes, the start and
the optimizer of vectors are those of `submissions.shampoo`.

Source: Duvvuri et al. (2024), "Combining Axes Preconditioners through Kronecker Approximation for
Deep Learning", and the authors' submission to AlgoPerf, whose averages, Nesterov's form and graft
these are.

Deviations: those of `submissions.shampoo`. A matrix with one dimension longer than `max_dim`, which
has no sum, takes Shampoo's step; the source splits matrices into blocks of 1024. The factors and
Adam's second moment have separate decay rates; the source has one.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.optimizers import Group, State, TorchProblem
from submissions.shampoo.optimizer import Block, Shampoo, root_of
from submissions.shampoo.submission import build_relative

FIXED_SETTINGS = {"power": 0.25, "block_side": 0, "graft": "adam", "roots": "eigen"}
"""Shampoo's settings that CASPR fixes."""


class Caspr(Shampoo):
    """CASPR; groups have `nesterov` beside Shampoo's settings."""

    def momentum(self, block: Block, group: Group) -> torch.Tensor:
        """M~_t of a block."""
        average = super().momentum(block, group)
        return average.lerp(block.gradient, 1 - group["beta1"]) if group["nesterov"] else average

    def between_roots(self, state: State, momentum: torch.Tensor) -> torch.Tensor:
        """P_t of one block."""
        if "left" not in state or "right" not in state:
            return super().between_roots(state, momentum)
        left, right = (root_of(state, side, momentum) for side in ("left", "right"))
        once = left @ momentum + momentum @ right
        return left @ once + once @ right


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """CASPR on matrices and kernels, AdamW on the rest, with their shared schedule."""
    return build_relative(Caspr, problem, {**FIXED_SETTINGS, **hyperparameters}, "nesterov")
