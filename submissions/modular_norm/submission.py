"""Steepest descent under the modular norm: each parameter is updated by its role's dual map.

    M_t = mu M_{t-1} + (1 - mu) G_t
    D_l = argmax_{||T||_l = 1} <M_l, T>
    W_l <- (1 - eta lambda) W_l - eta_t D_l / s_l
    eta_t = eta                           size = "fixed"
    eta_t = eta sum_l <M_l, D_l> / s_l    size = "dual_norm", the minimiser of a quadratic bound

The norms ||.||_l and their duals D_l are defined in `common.dual_maps`: RMS -> RMS for matrices;
for kernels the same, flattened to (out, in * height * width) (`kernels = "reshaped"`, the thesis's
form) or per kernel offset (`"by_offset"`, the paper's); row norms for embeddings, and separate
norms for vectors. 1 / s_l is 1 for matrices, `embedding_scale` or `vector_scale` for the others.

Source: Bernstein and Newhouse (2024), "Old optimizer, new norm", Proposition 1 and "Modular
duality"; Large et al. (2024).

Deviations: momentum comes before the dual map, as in the authors' code but not in the papers. The
weights 1 / s_l are hyperparameters; Large et al. derive them from masses assigned by the
architecture's author. Newton-Schulz leaves singular values in [0.65, 1.2]; `polish` iterations
bring them to 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch.optim import Optimizer

from harness.core.errors import UnknownNameError
from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.dual_maps import KERNELS, MATRICES, duals
from submissions.common.optimizers import TorchProblem
from submissions.common.role_methods import RoleMethod
from workloads.parameters import Role

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""None: each role's dual map already scales the step with width."""
SIZES = ("dual_norm", "fixed")


class ModularNorm(RoleMethod):
    """Steepest descent under the modular norm; the module docstring states the update.

    Args:
        parameters: the parameters to optimise.
        roles: each parameter's role.
        splits: each parameter's splits, as in `ParameterSpec`.
        settings: `lr`, `weight_decay`, `momentum`, `size`, `kernels`, `polish`, `matmul_dtype`,
            `embedding_scale` and `vector_scale`.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        roles: Sequence[str],
        splits: Sequence[Sequence[int]],
        **settings: Any,
    ) -> None:
        if settings["size"] not in SIZES:
            raise UnknownNameError("size", settings["size"], SIZES)
        if settings["kernels"] not in KERNELS:
            raise UnknownNameError("kernels", settings["kernels"], KERNELS)
        super().__init__(parameters, roles, splits, settings)

    def update(self, group: dict[str, Any]) -> None:
        """Update the parameters of one group."""
        live = self.live(group)
        if not live:
            return
        parameters, roles, splits = zip(*live, strict=True)
        momenta = [self.momentum(parameter, group) for parameter in parameters]
        options = {name: group[name] for name in ("kernels", "polish", "matmul_dtype")}
        steps = duals(momenta, roles, splits, **options)
        scales = [_scale(role, group) for role in roles]
        rate = group["lr"]
        if group["size"] == "dual_norm":
            sizes = [(m * d).sum() * s for m, d, s in zip(momenta, steps, scales, strict=True)]
            rate = rate * torch.stack(sizes).sum()
        for parameter, step, scale in zip(parameters, steps, scales, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.sub_(step * (rate * scale))


def _scale(role: str, group: dict[str, Any]) -> float:
    """The weight 1 / s for a role."""
    if Role(role) in MATRICES:
        return 1.0
    return float(group["embedding_scale" if role == Role.EMBEDDING else "vector_scale"])


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Steepest descent on all parameters according to their roles, with its schedule."""
    names = ("weight_decay", "momentum", "size", "kernels", "polish", "matmul_dtype")
    scales = ("embedding_scale", "vector_scale")
    optimizer = ModularNorm(
        problem.parameters.values(),
        [spec.role.value for spec in problem.specs.values()],
        [spec.splits for spec in problem.specs.values()],
        lr=hyperparameters["learning_rate"],
        **{name: hyperparameters[name] for name in (*names, *scales)},
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
