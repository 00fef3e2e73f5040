"""EShampoo: Shampoo with eigenvalues corrected at every step, which makes grafting unnecessary.

    L_t = beta_s L_{t-1} + (1 - beta_s) G_t G_t^T,   R_t = beta_s R_{t-1} + (1 - beta_s) G_t^T G_t
    every T_prec steps, where the basis is no longer accurate, ||Q^T L Q - diag||_F > tau ||L||_F:
        Q <- orthogonal iteration with L until it is, at most K times; R likewise
    M_t = beta1 M_{t-1} + (1 - beta1) G_t
    D_t = beta2 D_{t-1} + (1 - beta2) (Q_L^T G_t Q_R)^2
    W_{t+1} = (1 - eta lambda) W_t - eta Q_L [(Q_L^T M^_t Q_R) / (sqrt(D^_t) + epsilon)] Q_R^T

with M^ and D^ bias-corrected. SOAP uses the same diagonal, but updates its bases at every refresh,
by one iteration, and permutes its second moment with them. Here D is unchanged by a basis update.

Source: Eschenhagen et al. (2025), "Purifying Shampoo", Algorithm 2 with the adaptive criterion.

Deviations: factor j gets its first basis from an eigendecomposition at step j and has the identity
before; after that, factors are checked one at a time, spread over the T_prec steps, so that no
single step bears the whole cost. Projections use bfloat16 where the hardware supports it. A
dimension longer than `max_dim` keeps the identity. Kernels are flattened to (out, in * height *
width). Embeddings and one-dimensional parameters use AdamW. A gradient with an entry above 4e6 is
scaled down to that, so that its powers do not overflow.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.eigenbasis import eigenbasis, failures_of, iterate_basis_until
from submissions.common.optimizers import (
    CombinedOptimizer,
    Group,
    GroupwiseOptimizer,
    State,
    TorchProblem,
    adamw,
    by_role,
)
from submissions.common.precision import at_least_float32, bound_gradient
from submissions.common.rotated_adam import move, turn_momentum
from submissions.common.staggering import select_due
from submissions.common.two_sided import SIDES, accumulate, start_factors
from workloads.parameters import Role

ROLES = (Role.HIDDEN_MATRIX, Role.CONVOLUTION, Role.OUTPUT)


class EShampoo(GroupwiseOptimizer):
    """EShampoo for parameters with two or more dimensions.

    Args:
        parameters: the parameters to optimise.
        settings: `lr`, `weight_decay`, `betas`, `factor_beta`, `eps`, `refresh_every` (T_prec),
            `tolerance` (tau), `iterations` (K), `max_dim` and `matmul_dtype`.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], **settings: object) -> None:
        super().__init__(parameters, settings | {"step": 0})

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        live = [parameter for parameter in group["params"] if parameter.grad is not None]
        states = [self._state(parameter, group) for parameter in live]
        gradients = [bound_gradient(at_least_float32(p.grad.flatten(1))) for p in live]
        for gradient, state in zip(gradients, states, strict=True):
            accumulate(state, gradient, group["factor_beta"])
        sides = [(state, side) for state in states for side in SIDES if side in state]
        for state, side in select_due(sides, group["step"], group["refresh_every"], is_eager=True):
            turn_momentum(state, side, _basis(state, side, group))
        for parameter, state, gradient in zip(live, states, gradients, strict=True):
            move(parameter, state, gradient, group)
        group["step"] += 1

    def _state(self, parameter: torch.Tensor, group: Group) -> State:
        state: State = self.state[parameter]
        if not state:
            matrix = at_least_float32(parameter.flatten(1))
            state["step"] = 0
            state["momentum"] = torch.zeros_like(matrix)
            state["second"] = torch.zeros_like(matrix)
            start_factors(state, matrix, group["max_dim"])
        return state


def _basis(state: State, side: str, group: Group) -> torch.Tensor:
    if f"{side}_basis" not in state:
        return eigenbasis(state[side], failures_of(group))
    basis = state[f"{side}_basis"]
    return iterate_basis_until(state[side], basis, group["tolerance"], group["iterations"])


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """EShampoo on matrices and kernels, AdamW on the rest, with their shared schedule."""
    members, rest = by_role(problem, ROLES)
    parts: list[Optimizer] = []
    if members:
        names = ("weight_decay", "factor_beta", "refresh_every", "tolerance", "iterations")
        settings = {name: hyperparameters[name] for name in (*names, "max_dim", "matmul_dtype")}
        settings |= {"lr": hyperparameters["learning_rate"], "eps": hyperparameters["epsilon"]}
        settings |= {"betas": (hyperparameters["beta1"], hyperparameters["beta2"])}
        parts.append(EShampoo([problem.parameters[name] for name in members], **settings))
    if rest:
        others = [problem.parameters[name] for name in rest]
        parts.append(adamw(others, hyperparameters, "learning_rate"))
    return CombinedOptimizer(*parts), schedules.from_hyperparameters(hyperparameters)
