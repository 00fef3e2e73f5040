"""Muon: momentum, orthogonalised, on hidden matrices and kernels; AdamW on everything else.

    M_t  = beta M_{t-1} + G_t
    M~_t = G_t + beta M_t                     nesterov = "source", Keller Jordan's form
    M~_t = M_t + beta (M_t - M_{t-1})         nesterov = "thesis"
    M~_t = M_t                                nesterov = "none"
    X_0  = M~_t / n(M~_t)                     norm = "tight", see `common.matrix_sign`
    X_0  = M~_t / ||M~_t||_F                  norm = "frobenius", source and thesis
    X_k  = a X_{k-1} + (b A + c A^2) X_{k-1},   A = X_{k-1} X_{k-1}^T,   k = 1 ... K
    W_{t+1} = (1 - eta lambda) W_t - eta s X_K

with K = `newton_schulz_steps`, (a, b, c) = (3.4445, -4.7750, 2.0315) in every iteration for
`coefficients = "jordan"` (the source's, K = 5) or, for "polar_express", those that Amsel et al.
(2025) derive, others in each iteration (K = 4); and for a matrix of r rows and c columns

    s = sqrt(max(1, r / c))      scaling = "source"
    s = 0.2 sqrt(max(r, c))      scaling = "rms", so that rates carry over from AdamW
    s = 1                        scaling = "thesis"

Source: Jordan et al. (2024), github.com/KellerJordan/Muon; `rms` from Liu et al. (2025).

Deviations: the source averages its momentum, here it is a sum as in the algorithm box; the factor
1 - beta drops out in the normalisation. The products are in bfloat16 as in the source where the
hardware has it, else in float32. Four iterations with Polar Express's coefficients take four
fifths of the work of the source's five and leave singular values nearer to 1; `coefficients` and
`newton_schulz_steps` give the source's. In float32 wide matrices are iterated on their short side,
which is the same sequence. The default norm is tighter than the source's: where most of a few
hundred singular values are alike, one of a hundredth of them would stay under 0.65. Kernels are
flattened to (out, in * height * width); matrices fused along their output axis are orthogonalised
one by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch.optim import Optimizer

from harness.core.errors import UnknownNameError
from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.batching import batched, matrices, tensor_of
from submissions.common.matrix_sign import newton_schulz, product_dtype
from submissions.common.optimizers import Combined, GroupwiseOptimizer, TorchProblem, adamw, by_role
from workloads.parameters import Role

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""Matrices get steps of their own scale, the rest AdamW: no one rule fits both."""
ROLES = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)
NESTEROV = ("none", "source", "thesis")
SCALINGS = ("rms", "source", "thesis")


class Muon(GroupwiseOptimizer):
    """The update above for parameters of two axes or more.

    Args:
        parameters: which parameters.
        lr: eta.
        momentum: beta.
        weight_decay: lambda.
        nesterov: one of `NESTEROV`.
        scaling: one of `SCALINGS`.
        norm: one of `matrix_sign.NORMS`.
        steps: iterations of Newton-Schulz.
        coefficients: a name in `newton_schulz.COEFFICIENTS`.
        products: the precision of its products: a dtype's name, or `auto`.
        splits: for each parameter the sizes of matrices fused along its first axis.
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
        products: str = "auto",
        splits: Sequence[Sequence[int]] | None = None,
    ) -> None:
        parameters = list(parameters)
        if nesterov not in NESTEROV:
            raise UnknownNameError("nesterov", nesterov, NESTEROV)
        if scaling not in SCALINGS:
            raise UnknownNameError("scaling", scaling, SCALINGS)
        group = {
            "params": parameters,
            "splits": [list(s) for s in splits or [()] * len(parameters)],
        }
        defaults: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "steps": steps,
            "coefficients": coefficients,
        }
        defaults |= {"nesterov": nesterov, "scaling": scaling, "products": products, "norm": norm}
        super().__init__([group], defaults)

    def update(self, group: dict[str, Any]) -> None:
        """One step of one group; matrices of one shape are orthogonalised in one call."""
        live = [pair for pair in zip(group["params"], group["splits"], strict=True) if _live(pair)]
        parts = [matrices(self._direction(p, group), splits) for p, splits in live]
        flat = [matrix for part in parts for matrix in part]
        if not flat:
            return
        dtype = product_dtype(flat[0].device, group["products"])
        names = ("steps", "norm", "coefficients")
        sign = partial(newton_schulz, dtype=dtype, **{name: group[name] for name in names})
        signs = iter(batched(sign, flat))
        for (parameter, _), part in zip(live, parts, strict=True):
            scaled = [next(signs) * scale(matrix, group["scaling"]) for matrix in part]
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(tensor_of(scaled, parameter.shape), alpha=-group["lr"])

    def _direction(self, parameter: torch.Tensor, group: dict[str, Any]) -> torch.Tensor:
        gradient, beta, form = parameter.grad, group["momentum"], group["nesterov"]
        assert gradient is not None
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: torch.Tensor = state["momentum"]
        before = momentum.clone() if form == "thesis" else momentum
        momentum.mul_(beta).add_(gradient)
        if form == "source":
            return gradient.add(momentum, alpha=beta)
        return momentum + beta * (momentum - before) if form == "thesis" else momentum


def _live(pair: tuple[torch.Tensor, list[int]]) -> bool:
    return pair[0].grad is not None


def scale(matrix: torch.Tensor, scaling: str) -> float:
    """The factor s on the update of a matrix (rows, columns)."""
    rows, columns = matrix.shape
    if scaling == "rms":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1.0, rows / columns)) if scaling == "source" else 1.0


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Muon on hidden matrices and kernels, AdamW on the rest, and their common schedule."""
    hidden, rest = by_role(problem, ROLES)
    parts: list[Optimizer] = []
    if hidden:
        muon = Muon(
            [problem.parameters[name] for name in hidden],
            lr=hyperparameters["learning_rate"],
            momentum=hyperparameters["momentum"],
            weight_decay=hyperparameters["weight_decay"],
            nesterov=hyperparameters["nesterov"],
            scaling=hyperparameters["scaling"],
            norm=hyperparameters["norm"],
            steps=hyperparameters["newton_schulz_steps"],
            coefficients=hyperparameters["coefficients"],
            products=hyperparameters["products"],
            splits=[problem.specs[name].splits for name in hidden],
        )
        parts.append(muon)
    if rest:
        others = [problem.parameters[name] for name in rest]
        parts.append(adamw(others, hyperparameters, "adam_learning_rate"))
    return Combined(*parts), schedules.from_hyperparameters(hyperparameters)
