"""The optimizer of `submission.py`; see there for the update, its source and the deviations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from submissions.mathematics.eigenbasis import eigenbasis, followed
from submissions.mathematics.matrix_sign import product_dtype
from submissions.mathematics.optimizers import GroupwiseOptimizer

State = dict[str, Any]
SIDES = ("left", "right")


class Soap(GroupwiseOptimizer):
    """SOAP for parameters of two axes or more.

    Args:
        parameters: which parameters.
        lr: eta.
        weight_decay: lambda, decoupled.
        betas: beta1 and beta2.
        factor_beta: beta_s, the factors' decay.
        eps: epsilon.
        refresh_every: T_prec.
        max_side: a longer side keeps the identity as its basis.
        products: the precision of projections: a dtype's name, or `auto`.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.95, 0.95),
        factor_beta: float = 0.95,
        eps: float = 1e-8,
        refresh_every: int = 10,
        max_side: int = 2048,
        products: str = "auto",
    ) -> None:
        defaults: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay, "betas": betas}
        defaults |= {"factor_beta": factor_beta, "eps": eps, "refresh_every": refresh_every}
        defaults |= {"max_side": max_side, "products": products, "step": 0}
        super().__init__(parameters, defaults)

    def update(self, group: dict[str, Any]) -> None:
        """One step of one group; a parameter's first gradient only gives it its bases."""
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            state, gradient = self.state[parameter], parameter.grad.flatten(1)
            if state:
                self._move(parameter, gradient, group)
                _accumulate(state, gradient, group["factor_beta"])
            else:
                _initialise(state, gradient, group)
        self._refresh(group)
        group["step"] += 1

    def _move(self, parameter: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        state, (beta1, beta2) = self.state[parameter], group["betas"]
        state["step"] += 1
        dtype = product_dtype(gradient.device, group["products"])
        rotated = _project(state, gradient, dtype)
        state["momentum"].lerp_(rotated, 1 - beta1)
        state["second"].mul_(beta2).addcmul_(rotated, rotated, value=1 - beta2)
        scale = (state["second"] / (1 - beta2 ** state["step"])).sqrt_().add_(group["eps"])
        step = _project_back(state, state["momentum"] / scale, dtype)
        rate = group["lr"] / (1 - beta1 ** state["step"])
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(step.view_as(parameter), alpha=-rate)

    def _refresh(self, group: dict[str, Any]) -> None:
        """Turn the bases that are due: side j of n at steps j T / n modulo T, from the first."""
        states = [self.state[p] for p in group["params"] if p in self.state]
        due = [(state, side) for state in states for side in SIDES if side in state]
        step, period = group["step"], group["refresh_every"]
        for place, (state, side) in enumerate(due):
            offset = place * period // len(due)
            if state["step"] > 0 and step >= offset and (step - offset) % period == 0:
                _turn(state, side)


def _initialise(state: State, gradient: torch.Tensor, group: dict[str, Any]) -> None:
    state["step"] = 0
    state["momentum"] = torch.zeros_like(gradient)
    state["second"] = torch.zeros_like(gradient)
    for side, size in zip(SIDES, gradient.shape, strict=True):
        if size <= group["max_side"]:
            state[side] = gradient.new_zeros(size, size)
    _accumulate(state, gradient, group["factor_beta"])
    for side in SIDES:
        if side in state:
            state[f"{side}_basis"] = eigenbasis(state[side])


def _accumulate(state: State, gradient: torch.Tensor, beta: float) -> None:
    if "left" in state:
        state["left"].addmm_(gradient, gradient.mT, beta=beta, alpha=1 - beta)
    if "right" in state:
        state["right"].addmm_(gradient.mT, gradient, beta=beta, alpha=1 - beta)


def _project(state: State, matrix: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """U_L^T X U_R."""
    x = matrix.to(dtype)
    x = state["left_basis"].to(dtype).mT @ x if "left" in state else x
    x = x @ state["right_basis"].to(dtype) if "right" in state else x
    return x.to(matrix.dtype)


def _project_back(state: State, matrix: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """U_L X U_R^T."""
    x = matrix.to(dtype)
    x = state["left_basis"].to(dtype) @ x if "left" in state else x
    x = x @ state["right_basis"].to(dtype).mT if "right" in state else x
    return x.to(matrix.dtype)


def _turn(state: State, side: str) -> None:
    """Follow one basis; the momentum turns with it, the second moment takes its order."""
    old = state[f"{side}_basis"]
    new, order = followed(state[side], old)
    state[f"{side}_basis"] = new
    if side == "left":
        state["momentum"] = new.mT @ (old @ state["momentum"])
        state["second"] = state["second"][order]
    else:
        state["momentum"] = (state["momentum"] @ old.mT) @ new
        state["second"] = state["second"][:, order]
