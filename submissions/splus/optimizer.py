"""The optimizer behind `submission.py`, which states the update, its source and the deviations."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from harness.core.errors import UnknownNameError
from submissions.common.eigenbasis import eigenbasis, failures_of
from submissions.common.evaluation_mode import EvaluatesAverage
from submissions.common.matrix_sign import product_dtype
from submissions.common.optimizers import Group, State
from submissions.common.precision import bound_gradient, signs
from submissions.common.staggering import select_due
from submissions.common.two_sided import (
    SIDES,
    accumulate,
    project,
    project_back,
    start_factors,
)

FORMS = ("paper", "thesis")


class SPlus(EvaluatesAverage):
    """SPlus for parameters of any shape.

    Args:
        parameters: the parameters to optimise.
        lr: learning rate (eta).
        weight_decay: weight decay coefficient (lambda).
        betas: decay rates of the momentum and of the factors (beta1, beta2).
        average_beta: decay rate of the weight average (alpha).
        form: one of `FORMS`.
        vector_scale: learning-rate multiplier of one-dimensional parameters (s).
        refresh_every: steps between refreshes of a basis (T_prec).
        stagger: whether bases are refreshed one at a time, spread over these steps.
        max_dim: longest dimension with a basis; longer ones keep the identity.
        matmul_dtype: dtype name for the projections, or `auto`.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        average_beta: float = 0.999,
        form: str = "paper",
        vector_scale: float = 0.001,
        refresh_every: int = 100,
        stagger: bool = True,
        max_dim: int = 10000,
        matmul_dtype: str = "auto",
    ) -> None:
        if form not in FORMS:
            raise UnknownNameError("form", form, FORMS)
        defaults: dict[str, object] = {"lr": lr, "weight_decay": weight_decay, "betas": betas}
        defaults |= {"average_beta": average_beta, "form": form, "vector_scale": vector_scale}
        defaults |= {
            "refresh_every": refresh_every,
            "stagger": stagger,
            "max_dim": max_dim,
            "matmul_dtype": matmul_dtype,
        }
        super().__init__(parameters, defaults | {"step": 0})

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        live = [parameter for parameter in group["params"] if parameter.grad is not None]
        for parameter in live:
            state = self._state(parameter, group)
            direction, scale = _direction(parameter, state, group)
            rate = group["lr"] * scale
            parameter.add_(direction.view_as(parameter), alpha=-rate)
            parameter.mul_(1 - rate * group["weight_decay"])
            state["average"].lerp_(parameter, 1 - group["average_beta"])
        sides = [(self.state[p], side) for p in live for side in SIDES if side in self.state[p]]
        dtype = product_dtype(live[0].device, group["matmul_dtype"]) if live else None
        first = [(state, side) for state, side in sides if f"{side}_basis" not in state]
        others = [(state, side) for state, side in sides if f"{side}_basis" in state]
        period, stagger = group["refresh_every"], group["stagger"]
        others_to_refresh = select_due(others, group["step"], period, stagger=stagger)
        for state, side in [*first, *others_to_refresh]:
            basis = state.get(f"{side}_basis")
            state[f"{side}_basis"] = eigenbasis(state[side], failures_of(group), basis).to(dtype)
        group["step"] += 1

    def _state(self, parameter: torch.Tensor, group: Group) -> State:
        state: State = self.state[parameter]
        if not state:
            state["step"] = 0
            state["momentum"] = torch.zeros_like(parameter)
            state["average"] = torch.zeros_like(parameter)
            if parameter.ndim > 1 and group["form"] == "paper":
                start_factors(state, parameter.flatten(1), group["max_dim"])
        state["step"] += 1
        return state

    def average(self, parameter: torch.Tensor, group: Group) -> torch.Tensor | None:
        """The bias-corrected average."""
        state = self.state[parameter]
        if not state:
            return None
        corrected_average: torch.Tensor = state["average"] / (
            1 - group["average_beta"] ** state["step"]
        )
        return corrected_average


def _direction(parameter: torch.Tensor, state: State, group: Group) -> tuple[torch.Tensor, float]:
    """Update the moments and return the bounded direction and its learning-rate multiplier s."""
    assert parameter.grad is not None
    gradient, (beta1, beta2) = bound_gradient(parameter.grad), group["betas"]
    if group["form"] == "thesis":
        norm = torch.linalg.vector_norm(gradient).clamp_(min=torch.finfo(gradient.dtype).tiny)
        rows, columns = gradient.flatten(1).shape if gradient.ndim > 1 else (1, 1)
        return gradient / norm, (rows / columns) ** 0.5
    state["momentum"].lerp_(gradient, 1 - beta1)
    if gradient.ndim < 2:
        return signs(state["momentum"]), group["vector_scale"]
    matrix = gradient.flatten(1)
    accumulate(state, matrix, beta2)
    dtype = product_dtype(matrix.device, group["matmul_dtype"])
    # signs are exact in any precision, so nothing is cast between the two rotations
    rotated_direction = signs(project(state, state["momentum"].flatten(1).to(dtype), dtype))
    direction = project_back(state, rotated_direction, dtype)
    has_bases = max(matrix.shape) <= group["max_dim"]
    scale = 2.0 / sum(matrix.shape) if has_bases else group["vector_scale"]
    return direction.to(matrix.dtype), scale
