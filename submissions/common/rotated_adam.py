"""Adam in a rotated space, with the momentum kept there so that a step needs two projections."""

from __future__ import annotations

import torch

from submissions.common.matrix_sign import product_dtype
from submissions.common.optimizers import Group, State
from submissions.common.two_sided import project, project_back


def update_moments(state: State, gradient: torch.Tensor, group: Group) -> torch.Tensor:
    """Update a state's moments and return the rotated gradient; arguments as for `move`."""
    beta1, beta2 = group["betas"]
    state["step"] += 1
    rotated_gradient = project(
        state, gradient, product_dtype(gradient.device, group["matmul_dtype"])
    )
    state["momentum"].lerp_(rotated_gradient, 1 - beta1)
    state["second"].mul_(beta2).addcmul_(rotated_gradient, rotated_gradient, value=1 - beta2)
    return rotated_gradient


def move(parameter: torch.Tensor, state: State, gradient: torch.Tensor, group: Group) -> None:
    """Apply weight decay, then an Adam step in the bases of the parameter's state.

    Args:
        parameter: a parameter with two or more dimensions.
        state: see `two_sided`; `step`, `momentum` and `second` are updated.
        gradient: the gradient as a matrix (rows, columns).
        group: `lr`, `weight_decay`, `betas`, `eps` and `matmul_dtype`.
    """
    beta1, beta2 = group["betas"]
    update_moments(state, gradient, group)
    dtype = product_dtype(gradient.device, group["matmul_dtype"])
    scale = (state["second"] / (1 - beta2 ** state["step"])).sqrt_().add_(group["eps"])
    step = project_back(state, state["momentum"] / scale, dtype)
    rate = group["lr"] / (1 - beta1 ** state["step"])
    parameter.mul_(1 - group["lr"] * group["weight_decay"])
    parameter.add_(step.view_as(parameter), alpha=-rate)


def turn_momentum(state: State, side: str, basis: torch.Tensor) -> None:
    """Replace one side's basis, rotating the momentum so that it represents the same matrix."""
    old = state.get(f"{side}_basis")
    state[f"{side}_basis"] = basis
    momentum: torch.Tensor = state["momentum"]
    if side == "left":
        state["momentum"] = basis.mT @ (momentum if old is None else old @ momentum)
    else:
        state["momentum"] = (momentum if old is None else momentum @ old.mT) @ basis
