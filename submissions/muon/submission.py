"""Muon: orthogonalised momentum on hidden matrices and kernels, AdamW on everything else.

    M_t  = beta M_{t-1} + G_t
    M~_t = G_t + beta M_t                     nesterov = "source"
    M~_t = M_t                                nesterov = "none"
    X_0  = M~_t / max(n(M~_t), f)             norm = "tight", see `common.matrix_sign`
    X_0  = M~_t / (||M~_t||_F + f)            norm = "frobenius", source and thesis
    X_k  = a X_{k-1} + (b A + c A^2) X_{k-1},   A = X_{k-1} X_{k-1}^T,   k = 1 ... K
    W_{t+1} = (1 - eta lambda) W_t - eta s X_K

with K = `newton_schulz_steps` and f = 1e-7 / (1 - beta). (a, b, c) are (3.4445, -4.7750, 2.0315) in
every iteration with `coefficients = "jordan"` (the source's, K = 5); with "polar_express" they are
those of Amsel et al. (2025) and differ from iteration to iteration (K = 4). For a matrix with r
rows and c columns

    s = sqrt(max(1, r / c))      scaling = "source"
    s = 0.2 sqrt(max(r, c))      scaling = "rms", which lets AdamW's learning rates carry over
    s = 1                        scaling = "thesis"

Source: Jordan et al. (2024), github.com/KellerJordan/Muon; `rms` from Liu et al. (2025). The thesis
writes Nesterov's form as M_t + beta (M_t - M_{t-1}), which is the same.

Deviations: momentum is a sum, as in the thesis's algorithm box, where the source averages; the
factor 1 - beta cancels in the normalisation, and f is the source's 1e-7 divided by it. Products use
bfloat16 as in the source where the hardware supports it, else float32. Four iterations with the
Polar Express coefficients take four fifths of the work of the source's five and leave singular
values closer to 1; `coefficients` and `newton_schulz_steps` restore the source's. In float32 wide
matrices are iterated on their short dimension, which is mathematically equivalent. The default norm
is tighter than the source's, under which, if most of a few hundred singular values are about equal,
one a hundred times smaller would stay below 0.65. Kernels are flattened to (out, in * height *
width); matrices fused along their output dimension are orthogonalised separately.

Over several ranks (`problem.ranks`) each parameter is owned by one of them, by the cost of its
products: the owner alone keeps its momentum and orthogonalises it, and one all-gather a step brings
s X_K of every parameter to all ranks. AdamW's part is not divided.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import StateDict

from harness.core.errors import UnknownNameError
from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.batching import apply_by_shape, matrices, tensor_of
from submissions.common.matrix_sign import newton_schulz, product_dtype
from submissions.common.optimizers import (
    CombinedOptimizer,
    Group,
    State,
    TorchProblem,
    adamw,
    by_role,
    list_parameters,
)
from submissions.common.sharding import ShardedOptimizer, assign_owners, exchange
from workloads.parameters import Role

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No single rule fits both the orthogonalised matrices and the parameters left to AdamW."""
ROLES = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)
NESTEROV = ("none", "source")
SCALINGS = ("rms", "source", "thesis")
EPSILON = 1e-7


class Muon(ShardedOptimizer):
    """Muon for parameters with two or more dimensions, owner-computes over `ranks`.

    Args:
        parameters: the parameters to optimise.
        lr: learning rate (eta).
        momentum: momentum coefficient in [0, 1) (beta).
        weight_decay: decoupled weight decay coefficient (lambda).
        nesterov: form of the momentum, one of `NESTEROV`.
        scaling: scale of the update, one of `SCALINGS`.
        norm: normalisation before the iteration, one of `matrix_sign.NORMS`.
        steps: number of Newton-Schulz iterations.
        coefficients: a name in `newton_schulz.COEFFICIENTS`.
        matmul_dtype: dtype name for the matrix products, or `auto`.
        eps: the averaged momentum's norm below which steps become shorter, as in the source.
        splits: for each parameter, the sizes of matrices fused along its first dimension.
        settings: further values of every group, for a subclass.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        nesterov: str = "source",
        scaling: str = "source",
        norm: str = "tight",
        steps: int = 4,
        coefficients: str = "polar_express",
        matmul_dtype: str = "auto",
        eps: float = EPSILON,
        splits: Sequence[Sequence[int]] | None = None,
        **settings: object,
    ) -> None:
        parameters = list_parameters(parameters)
        if nesterov not in NESTEROV:
            raise UnknownNameError("nesterov", nesterov, NESTEROV)
        if scaling not in SCALINGS:
            raise UnknownNameError("scaling", scaling, SCALINGS)
        group = {
            "params": parameters,
            "splits": [list(s) for s in splits or [()] * len(parameters)],
        }
        defaults: dict[str, object] = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "steps": steps,
            "coefficients": coefficients,
        }
        defaults |= {
            "nesterov": nesterov,
            "scaling": scaling,
            "matmul_dtype": matmul_dtype,
            "norm": norm,
            "eps": eps,
        }
        super().__init__([group], defaults | settings)

    def add_param_group(self, param_group: Group) -> None:
        """Add a group; without `splits` none of its parameters is several fused matrices."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        group.setdefault("splits", [[] for _ in group["params"]])

    def update(self, group: Group) -> None:
        """Update one group; of several ranks each computes the steps of what it owns."""
        items = zip(group["params"], group["splits"], self._owners(group), strict=True)
        live = [(p, splits, owner) for p, splits, owner in items if p.grad is not None]
        mine = [place for place, (*_, owner) in enumerate(live) if owner == self.ranks.rank]
        own = self._steps([live[place][:2] for place in mine], group)
        steps = exchange(
            self.ranks,
            dict(zip(mine, own, strict=True)),
            owned_by=[owner for *_, owner in live],
            like=[parameter for parameter, *_ in live],
        )
        for (parameter, *_), step in zip(live, steps, strict=True):
            self.move(parameter, step, group)

    def _owners(self, group: Group) -> list[int]:
        """The rank that owns each parameter of a group, by what its matrices' products cost."""
        if self.ranks.world_size == 1:
            return [0] * len(group["params"])
        costs = [
            float(sum(part.numel() * min(part.shape) for part in matrices(parameter, splits)))
            for parameter, splits in zip(group["params"], group["splits"], strict=True)
        ]
        return assign_owners(costs, self.ranks.world_size)

    def _steps(
        self, items: Sequence[tuple[torch.Tensor, list[int]]], group: Group
    ) -> list[torch.Tensor]:
        """s X_K of some parameters; matrices of equal shape are orthogonalised in one call."""
        parts = [matrices(self.direction(p, group), splits) for p, splits in items]
        flat = [matrix for part in parts for matrix in part]
        if not flat:
            return []
        dtype = product_dtype(flat[0].device, group["matmul_dtype"])
        settings = {name: group[name] for name in ("steps", "norm", "coefficients")}
        floor = group["eps"] / (1 - group["momentum"])
        sign = partial(newton_schulz, dtype=dtype, floor=floor, **settings)
        signs = iter(apply_by_shape(sign, flat))
        steps = []
        for (parameter, _), part in zip(items, parts, strict=True):
            scaled_signs = self.scale_update(
                self.state[parameter], [next(signs) for _ in part], group
            )
            steps.append(tensor_of(scaled_signs, parameter.shape))
        return steps

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore the whole state, and keep what this rank owns of it."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            for parameter, owner in zip(group["params"], self._owners(group), strict=True):
                if owner != self.ranks.rank:
                    self.state.pop(parameter, None)

    def scale_update(
        self, state: State, signs: list[torch.Tensor], group: Group
    ) -> list[torch.Tensor]:
        """s X_K of one parameter's orthogonalised matrices; subclasses adapt them here."""
        del state
        return [sign * scale(sign, group["scaling"]) for sign in signs]

    def move(self, parameter: torch.Tensor, step: torch.Tensor, group: Group) -> None:
        """Apply weight decay and the step s X_K."""
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(step, alpha=-group["lr"])

    def direction(self, parameter: torch.Tensor, group: Group) -> torch.Tensor:
        """M~, after the momentum has been updated."""
        assert parameter.grad is not None
        return self.average_momentum(parameter, parameter.grad, group)

    def average_momentum(
        self, parameter: torch.Tensor, gradient: torch.Tensor, group: Group
    ) -> torch.Tensor:
        """M~ of a parameter, after its momentum has been updated with this gradient."""
        beta, form = group["momentum"], group["nesterov"]
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(gradient, memory_format=torch.contiguous_format)
        momentum: torch.Tensor = state["momentum"]
        momentum.mul_(beta).add_(gradient)
        return gradient.add(momentum, alpha=beta) if form == "source" else momentum


def scale(matrix: torch.Tensor, scaling: str) -> float:
    """The scale s of the update of a matrix (rows, columns)."""
    rows, columns = matrix.shape
    if scaling == "rms":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1.0, rows / columns)) if scaling == "source" else 1.0


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Muon on hidden matrices and kernels, AdamW on the rest, with their shared schedule."""
    return build_relative(Muon, problem, hyperparameters)


def build_relative(
    kind: type[Muon], problem: TorchProblem, hyperparameters: Hyperparameters, *names: str
) -> tuple[Optimizer, Schedule]:
    """Muon or a relative on hidden matrices and kernels, AdamW on the rest, with their schedule.

    Args:
        kind: the class.
        problem: the problem whose parameters to optimise.
        hyperparameters: those of Muon's point, and `names`.
        names: hyperparameters that only the relative has.
    """
    hidden, rest = by_role(problem, ROLES)
    parts: list[Optimizer] = []
    if hidden:
        same = ("momentum", "weight_decay", "nesterov", "scaling", "norm", "coefficients")
        muon = kind(
            [problem.parameters[name] for name in hidden],
            lr=hyperparameters["learning_rate"],
            steps=hyperparameters["newton_schulz_steps"],
            splits=[problem.specs[name].splits for name in hidden],
            **{name: hyperparameters[name] for name in (*same, "matmul_dtype", *names)},
        )
        if kind.is_divided:
            muon.ranks = problem.ranks
        parts.append(muon)
    if rest:
        others = [problem.parameters[name] for name in rest]
        parts.append(adamw(others, hyperparameters, "adam_learning_rate"))
    return CombinedOptimizer(*parts), schedules.from_hyperparameters(hyperparameters)
