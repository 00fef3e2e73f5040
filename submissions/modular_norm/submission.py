"""Steepest descent under the modular norm: each parameter is updated by its role's dual map.

    M_t = mu M_{t-1} + (1 - mu) G_t
    D_l = argmax_{||T||_l = 1} <M_l, T>
    W_l <- (1 - eta lambda) W_l - eta_t D_l / s_l
    eta_t = eta                           size = "fixed"
    eta_t = eta sum_l <M_l, D_l> / s_l    size = "dual_norm", the minimiser of a quadratic bound

The norms ||.||_l and their duals D_l are defined in `common.dual_maps`, and the point chooses one
for each kind of parameter: `hidden_norm` (hidden matrices and kernels), `output_norm`,
`embedding_norm`, `gain_norm` (of norms) and `vector_norm` (biases and other vectors). By default
RMS -> RMS for matrices; for kernels the same, flattened to (out, in * height * width)
(`kernels = "reshaped"`, the thesis's form) or per kernel offset (`"by_offset"`, the paper's); row
norms for embeddings, and separate norms for vectors.

1 / s_l is 1 for hidden matrices, kernels and the output, `embedding_scale` for embeddings and
`vector_scale` for gains and vectors. With `masses = true` these four numbers are masses m, as in
Large et al.: a kind's mass is divided evenly among its n parameters, and 1 / s_l = (m / n) / (the
sum of the four kinds' masses), so that a step changes what each kind computes in proportion to its
mass, however many layers there are. The learning rate is larger then, by about that sum times n.

Source: Bernstein and Newhouse (2024), "Old optimizer, new norm", Proposition 1 and "Modular
duality"; Large et al. (2024).

Deviations: momentum comes before the dual map, as in the authors' code but not in the papers. Large
et al. give masses to modules, here kinds of parameters have them, all of sensitivity 1, and a kind
that a model lacks has none. Newton-Schulz leaves singular values in [0.65, 1.2]; `polish`
iterations bring them to 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.dual_maps import duals
from submissions.common.optimizers import Group, TorchProblem
from submissions.common.role_methods import RoleMethod
from submissions.modular_norm import kinds
from workloads.parameters import Role

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""None: each role's dual map already scales the step with width."""


class ModularNorm(RoleMethod):
    """Steepest descent under the modular norm; the module docstring states the update.

    Args:
        parameters: the parameters to optimise.
        roles: each parameter's role.
        splits: each parameter's splits, as in `ParameterSpec`.
        settings: `lr`, `weight_decay`, `momentum`, `size`, `kernels`, `polish`, `matmul_dtype`,
            `masses`, `embedding_scale`, `vector_scale` and `kinds.NORM_NAMES`.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        roles: Sequence[str],
        splits: Sequence[Sequence[int]],
        **settings: object,
    ) -> None:
        kinds.check(settings)
        super().__init__(parameters, roles, splits, settings)

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        live = self.live(group)
        if not live:
            return
        parameters, roles, splits = zip(*live, strict=True)
        momenta = [self.momentum(parameter, group) for parameter in parameters]
        options = {name: group[name] for name in ("kernels", "polish", "matmul_dtype")}
        steps = duals(momenta, roles, splits, norms=kinds.norms(group), **options)
        by_role = kinds.scales(group["roles"], group)
        scales = [by_role[Role(role)] for role in roles]
        rate = group["lr"]
        if group["size"] == "dual_norm":
            sizes = [(m * d).sum() * s for m, d, s in zip(momenta, steps, scales, strict=True)]
            rate = rate * torch.stack(sizes).sum()
        for parameter, step, scale in zip(parameters, steps, scales, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.sub_(step * (rate * scale))


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Steepest descent on all parameters according to their roles, with its schedule."""
    names = ("weight_decay", "momentum", "size", "kernels", "polish", "matmul_dtype")
    scales = ("masses", "embedding_scale", "vector_scale", *kinds.NORM_NAMES)
    optimizer = ModularNorm(
        problem.parameters.values(),
        [spec.role.value for spec in problem.specs.values()],
        [spec.splits for spec in problem.specs.values()],
        lr=hyperparameters["learning_rate"],
        **{name: hyperparameters[name] for name in (*names, *scales)},
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
