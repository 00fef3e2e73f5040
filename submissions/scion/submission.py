"""Scion: conditional gradient steps over balls in norms that fit the parameters' roles.

    M_t = beta M_{t-1} + (1 - beta) G_t
    W_{t+1} = (1 - gamma_t) W_t - gamma_t rho D(M_t)      constrained, to ||W|| <= rho
    W_{t+1} = W_t - gamma_t rho D(M_t)                    unconstrained

with gamma_t the scheduled learning rate and, of a matrix (out, in),

    hidden matrices       D = sqrt(out / in) U V^T,                      rho = `radius`
    kernels, flattened    D = sqrt(out / in) / (height width) U V^T,     rho = `radius`
    embedding, output     D = sign(M) / in,                              rho = `output_radius`
    vectors               D = M / RMS(M),                                rho = `vector_radius`

where M = U S V^T. A constrained step moves towards a point on the ball's boundary and so decays the
weights at the rate gamma: a larger rho with a smaller gamma decays less.

Source: Pethick et al. (2025), "Training Deep Learning Models with Norm-Constrained LMOs",
Algorithms 1 and 2, and the authors' code, github.com/LIONS-EPFL/scion.

Deviations: weights are initialised by the workload and not on the balls' boundaries.
Orthogonalisation is that of `common.matrix_sign`, with other coefficients and a tighter norm than
the source's. Matrices fused along their output dimension are orthogonalised separately. The radius
of vectors, which the source's models mostly lack, is a hyperparameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.dual_maps import duals, entrywise_dual
from submissions.common.optimizers import Group, TorchProblem
from submissions.common.precision import signs
from submissions.common.role_methods import RoleMethod
from workloads.parameters import Role

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""None: each role's norm already scales the step with width."""
HIDDEN = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)
SIGNED = (Role.EMBEDDING, Role.OUTPUT)


class Scion(RoleMethod):
    """Scion; the module docstring states the update.

    Args:
        parameters: the parameters to optimise.
        roles: each parameter's role.
        splits: each parameter's splits, as in `ParameterSpec`.
        settings: `lr` (gamma), `momentum` (beta), `radius`, `output_radius`, `vector_radius`,
            `constrained` and `matmul_dtype`.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        roles: Sequence[str],
        splits: Sequence[Sequence[int]],
        **settings: object,
    ) -> None:
        super().__init__(parameters, roles, splits, settings)

    def update(self, group: Group) -> None:
        """Update one group; hidden matrices of equal shape are orthogonalised in one call."""
        live = self.live(group)
        momenta = [self.momentum(parameter, group) for parameter, _, _ in live]
        hidden = {place: key for place, key in enumerate(live) if Role(key[1]) in HIDDEN}
        values = [momenta[place] for place in hidden]
        roles = [role for _, role, _ in hidden.values()]
        splits = [split for _, _, split in hidden.values()]
        directions = duals(values, roles, splits, matmul_dtype=group["matmul_dtype"])
        orthogonal = dict(zip(hidden, directions, strict=True))
        for place, (parameter, role, _) in enumerate(live):
            step = _direction(momenta[place], Role(role), orthogonal.get(place), group)
            if group["constrained"]:
                parameter.mul_(1 - group["lr"])
            parameter.add_(step, alpha=-group["lr"])


def _direction(
    momentum: torch.Tensor, role: Role, dual: torch.Tensor | None, group: Group
) -> torch.Tensor:
    """rho D(M); `dual` is that of a hidden matrix under the norm from RMS to RMS."""
    scale: float
    if dual is not None:
        # of a flattened kernel it is sqrt(out / (in * height * width)) U V^T
        offsets = momentum[0, 0].numel() if momentum.ndim > 2 else 1
        scale = group["radius"] / offsets**0.5
        return dual * scale
    if role in SIGNED:
        scale = group["output_radius"] / momentum.shape[1]
        return signs(momentum) * scale
    scale = group["vector_radius"]
    return entrywise_dual(momentum, "rms") * scale


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Scion on all parameters according to their roles, with its schedule."""
    names = ("momentum", "radius", "output_radius", "vector_radius", "constrained", "matmul_dtype")
    optimizer = Scion(
        problem.parameters.values(),
        [spec.role.value for spec in problem.specs.values()],
        [spec.splits for spec in problem.specs.values()],
        lr=hyperparameters["learning_rate"],
        **{name: hyperparameters[name] for name in names},
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
