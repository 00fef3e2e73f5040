"""The optimizer behind `submission.py`, which states the update, its source and the deviations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from harness.core.errors import UnknownNameError
from submissions.common.eigenbasis import failures_of
from submissions.common.inverse_roots import coupled_newton, inverse_root
from submissions.common.matrix_sign import product_dtype
from submissions.common.optimizers import GroupwiseOptimizer
from submissions.common.precision import bounded
from submissions.common.staggering import select_due
from submissions.common.two_sided import SIDES, State, accumulate, start_factors

GRAFTS = ("adam", "none", "sgd")
ROOTS = {"eigen": inverse_root, "newton": coupled_newton}


class Shampoo(GroupwiseOptimizer):
    """Shampoo for parameters with two or more dimensions.

    Args:
        parameters: the parameters to optimise.
        lr: learning rate (eta).
        weight_decay: decoupled weight decay coefficient (lambda_w).
        beta1: decay rate of the momentum.
        beta2: decay rate of the factors; 1 sums instead.
        power: exponent of the inverse roots (p).
        damping: damping relative to the largest eigenvalue (lambda).
        refresh_every: steps between refreshes of a root (T_prec).
        start: first step at which roots are computed.
        max_dim: longest dimension with a factor; longer ones use the identity.
        block_side: largest block dimension, or 0 to leave matrices whole.
        graft: method whose step size is used, one of `GRAFTS`.
        graft_beta2: decay rate of the second moment for the graft `adam`.
        epsilon: term added to the denominator for the graft `adam`.
        matmul_dtype: dtype name for products with roots, or `auto`.
        roots: algorithm for the roots, a name in `ROOTS`.
        settings: further values of every group, for a relative.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float,
        weight_decay: float = 0.0,
        beta1: float = 0.9,
        beta2: float = 0.99,
        power: float = 0.25,
        damping: float = 1e-6,
        refresh_every: int = 10,
        start: int = 1,
        max_dim: int = 2048,
        block_side: int = 0,
        graft: str = "adam",
        graft_beta2: float = 0.99,
        epsilon: float = 1e-8,
        matmul_dtype: str = "auto",
        roots: str = "eigen",
        **settings: Any,
    ) -> None:
        if graft not in GRAFTS:
            raise UnknownNameError("graft", graft, GRAFTS)
        if roots not in ROOTS:
            raise UnknownNameError("roots", roots, ROOTS)
        defaults: dict[str, Any] = {
            "lr": lr,
            "weight_decay": weight_decay,
            "beta1": beta1,
            "beta2": beta2,
        }
        defaults |= {"power": power, "damping": damping, "refresh_every": refresh_every}
        defaults |= {"start": start, "max_dim": max_dim, "graft": graft, "step": 0}
        defaults |= {"graft_beta2": graft_beta2, "epsilon": epsilon, "matmul_dtype": matmul_dtype}
        defaults |= {"block_side": block_side, "roots": roots}
        super().__init__(parameters, defaults | settings)

    def update(self, group: dict[str, Any]) -> None:
        """Update the parameters of one group."""
        group["step"] += 1
        live = [parameter for parameter in group["params"] if parameter.grad is not None]
        for parameter in live:
            _accumulate(self._state(parameter, group), parameter, group)
        self._refresh(live, group)
        for parameter in live:
            update = self.direction(parameter, group)
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(update.view_as(parameter), alpha=-group["lr"])

    def direction(self, parameter: torch.Tensor, group: dict[str, Any]) -> torch.Tensor:
        """The step as a matrix: the graft's step, overwritten block by block."""
        state, momentum = self.state[parameter], self.momentum(parameter, group)
        correction = 1 - group["beta1"] ** state["step"]
        step = _graft(state, momentum, correction, group)
        cut = (blocks(matrix, group["block_side"]) for matrix in (step, momentum))
        for block, part, own in zip(state["blocks"], *cut, strict=True):
            sides = [side for side in SIDES if side in block]
            if not sides or not all(f"{side}_root" in block for side in sides):
                continue
            size = torch.linalg.vector_norm(part)
            dtype = product_dtype(own.device, group["matmul_dtype"])
            part.copy_(self.between_roots(block, own.to(dtype)))
            if group["graft"] == "none":
                part.div_(correction)
            else:
                # rescaled to the graft's norm, so the momentum needs no bias correction
                norm = torch.linalg.vector_norm(part).clamp_(min=torch.finfo(part.dtype).tiny)
                part.mul_(size / norm)
        return step

    def momentum(self, parameter: torch.Tensor, group: dict[str, Any]) -> torch.Tensor:
        """M_t as a matrix; a relative may look ahead here."""
        del group
        momentum: torch.Tensor = self.state[parameter]["momentum"]
        return momentum.flatten(1)

    def between_roots(self, block: State, momentum: torch.Tensor) -> torch.Tensor:
        """P_t of one block; a relative may combine the roots otherwise here."""
        step = momentum
        if "left" in block:
            step = root_of(block, "left", step) @ step
        return step @ root_of(block, "right", step) if "right" in block else step

    def _state(self, parameter: torch.Tensor, group: dict[str, Any]) -> State:
        state: State = self.state[parameter]
        if not state:
            matrix = parameter.flatten(1)
            state["step"] = 0
            state["momentum"] = torch.zeros_like(parameter)
            if group["graft"] == "adam":
                state["second"] = torch.zeros_like(matrix)
            state["blocks"] = []
            for block in blocks(matrix, group["block_side"]):
                state["blocks"].append({})
                start_factors(state["blocks"][-1], block, group["max_dim"])
        state["step"] += 1
        return state

    def _refresh(self, live: list[torch.Tensor], group: dict[str, Any]) -> None:
        """Recompute the roots due: factor j of n at steps start + j T / n modulo T."""
        factors = [
            (block, side)
            for parameter in live
            for block in self.state[parameter]["blocks"]
            for side in SIDES
            if side in block
        ]
        since = group["step"] - group["start"]
        for block, side in select_due(factors, since, group["refresh_every"]):
            both = "left" in block and "right" in block
            power = group["power"] if both else 2 * group["power"]
            root = ROOTS[group["roots"]](block[side], power, group["damping"], failures_of(group))
            if root is None:
                continue
            # Only products read the root, so it is stored in their precision.
            block[f"{side}_root"] = root.to(product_dtype(root.device, group["matmul_dtype"]))


def blocks(matrix: torch.Tensor, side: int) -> list[torch.Tensor]:
    """Split a matrix into views with dimensions of at most `side`, in row order; 0 for no split."""
    if side == 0:
        return [matrix]
    return [block for rows in matrix.split(side) for block in rows.split(side, 1)]


def _accumulate(state: State, parameter: torch.Tensor, group: dict[str, Any]) -> None:
    assert parameter.grad is not None
    gradient = bounded(parameter.grad.flatten(1))
    parts = blocks(gradient, group["block_side"])
    for block, part in zip(state["blocks"], parts, strict=True):
        accumulate(block, part, group["beta2"])
    if "second" in state:
        decay = group["graft_beta2"]
        state["second"].mul_(decay).addcmul_(gradient, gradient, value=1 - decay)
    state["momentum"].lerp_(gradient.view_as(parameter), 1 - group["beta1"])


def _graft(
    state: State, momentum: torch.Tensor, correction: float, group: dict[str, Any]
) -> torch.Tensor:
    """Q_t, or M^_t for the graft `none`."""
    if group["graft"] != "adam":
        return momentum / correction
    second = 1 - group["graft_beta2"] ** state["step"]
    # M^ / (sqrt(v^) + epsilon) with both corrections in the denominator saves one pass
    root = state["second"].sqrt().mul_(correction / second**0.5)
    return torch.div(momentum, root.add_(correction * group["epsilon"]), out=root)


def root_of(block: State, side: str, like: torch.Tensor) -> torch.Tensor:
    """One side's root in the precision of `like`; loaded from a checkpoint it has another."""
    root: torch.Tensor = block[f"{side}_root"]
    return root.to(like.dtype)
