"""The optimizers behind `kl_shampoo` and `kl_soap`, whose docstrings state the updates."""

from __future__ import annotations

import torch

from submissions.common.matrix_sign import product_dtype
from submissions.common.optimizers import Group, State
from submissions.common.rotated_adam import turn_momentum, update_moments
from submissions.common.symmetric_products import add_product
from submissions.common.two_sided import project, project_back
from submissions.soap.optimizer import Soap, start_bases

LEAST_BOUND, MOST_BOUND = 10.0, 4000.0
"""The bound on an inverse root is the factor's size, clamped to this range."""


class KlShampoo(Soap):
    """KL-Shampoo; groups have `initial_value` beside SOAP's settings."""

    def initialise(self, state: State, gradient: torch.Tensor, group: Group) -> None:
        """Start the momentum at zero and all eigenvalues alike, with the first gradient's bases."""
        state["step"] = 0
        state["momentum"] = torch.zeros_like(gradient)
        start_bases(state, gradient, group)
        rows, columns = gradient.shape
        value = torch.full_like(gradient[0, 0], group["initial_value"])
        value = value if group["initial_value"] else gradient.square().mean().sqrt()
        for side, size, other in (("left", rows, columns), ("right", columns, rows)):
            state[f"{side}_values"] = value.expand(size).clamp(min=_least(size))
            if side in state:
                state[side].div_(other)

    def move(
        self,
        parameter: torch.Tensor,
        state: State,
        gradient: torch.Tensor,
        group: Group,
    ) -> None:
        """Step along the momentum between the factors' inverse roots."""
        state["step"] += 1
        momentum: torch.Tensor = state["momentum"].lerp_(gradient, 1 - group["betas"][0])
        dtype = product_dtype(gradient.device, group["matmul_dtype"])
        scale = torch.outer(state["left_values"].sqrt(), state["right_values"].sqrt())
        self.step_along(parameter, project(state, momentum, dtype) / (scale + group["eps"]), group)

    def step_along(self, parameter: torch.Tensor, rotated_step: torch.Tensor, group: Group) -> None:
        """Apply weight decay and a step that is given in the bases."""
        dtype = product_dtype(rotated_step.device, group["matmul_dtype"])
        step = project_back(self.state[parameter], rotated_step, dtype)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(step.view_as(parameter), alpha=-group["lr"])

    def accumulate(self, state: State, gradient: torch.Tensor, group: Group) -> None:
        """Add a gradient, whitened by the other side's factor, to factors and eigenvalues."""
        beta = group["factor_beta"]
        rows, columns = gradient.shape
        dtype = product_dtype(gradient.device, group["matmul_dtype"])
        roots = state["left_values"].rsqrt()[:, None], state["right_values"].rsqrt()
        right_rotated = _rotate(state, gradient, "right", dtype)
        if "left" in state:
            half = right_rotated * roots[1]
            add_product(state["left"], half, half.mT, beta=beta, alpha=(1 - beta) / columns)
        if "right" in state:
            half = (_rotate(state, gradient, "left", dtype) * roots[0]).mT
            add_product(state["right"], half, half.mT, beta=beta, alpha=(1 - beta) / rows)
        rotated_gradient = _rotate(state, right_rotated, "left", dtype)
        means = (
            (rotated_gradient * roots[1]).square().mean(1),
            (rotated_gradient * roots[0]).square().mean(0),
        )
        for side, mean in zip(("left", "right"), means, strict=True):
            state[f"{side}_values"].lerp_(mean, 1 - beta).clamp_(min=_least(len(mean)))

    def turn(self, state: State, side: str) -> None:
        """Refresh one basis; eigenvalues keep their places."""
        state[f"{side}_basis"] = torch.linalg.qr(state[side] @ state[f"{side}_basis"])[0]


class KlSoap(KlShampoo):
    """KL-SOAP: Adam in KL-Shampoo's bases, with the momentum kept there."""

    def initialise(self, state: State, gradient: torch.Tensor, group: Group) -> None:
        """Start the moments at zero too."""
        super().initialise(state, gradient, group)
        state["second"] = torch.zeros_like(gradient)

    def move(
        self,
        parameter: torch.Tensor,
        state: State,
        gradient: torch.Tensor,
        group: Group,
    ) -> None:
        """Take a step of Adam in the bases, without bias correction."""
        update_moments(state, gradient, group)
        step = state["momentum"] / (state["second"].sqrt() + group["eps"])
        self.step_along(parameter, step, group)

    def turn(self, state: State, side: str) -> None:
        """Refresh one basis and rotate the momentum with it; the second moment keeps its place."""
        turn_momentum(state, side, torch.linalg.qr(state[side] @ state[f"{side}_basis"])[0])


def _least(size: int) -> float:
    """The least eigenvalue of a factor of this size."""
    return float(max(LEAST_BOUND, min(size, MOST_BOUND)) ** -2)


def _rotate(state: State, matrix: torch.Tensor, side: str, dtype: torch.dtype) -> torch.Tensor:
    """U_L^T X or X U_R, multiplied in `dtype`; X where the side has no basis."""
    if f"{side}_basis" not in state:
        return matrix
    basis, x = state[f"{side}_basis"].to(dtype), matrix.to(dtype)
    rotated_matrix: torch.Tensor = basis.mT @ x if side == "left" else x @ basis
    return rotated_matrix.to(matrix.dtype)
