"""EKFAC: gradients scaled by their own second moments in KFAC's eigenbasis.

    A_t = beta A_{t-1} + (1 - beta) E[h h^T],   S_t = beta S_{t-1} + (1 - beta) E[d d^T]
    every T_eig steps:  A_t = U_A D_A U_A^T,   S_t = U_S D_S U_S^T
    s_t = beta_s s_{t-1} + (1 - beta_s) diag(F~_t)
    D_t = U_S [(U_S^T G_t U_A) / (s_t + lambda)] U_A^T,
    nu_t = min(1, sqrt(kappa / (eta^2 sum <G_t, D_t>)))
    M_t = mu M_{t-1} + nu_t D_t
    W_{t+1} = (1 - eta lambda_w) W_t - eta M_t

h, d, M and kappa are as in `kfac`. With `diagonal = "examples"` diag(F~) is the exact diagonal of
the Fisher in the eigenbasis, N sum_n (U_S^T G_n U_A)^2 over per-example gradients G_n, updated at
the steps that collect statistics. With `"batch"`, the thesis's algorithm box, it is the square of
the batch gradient, (U_S^T G_t U_A)^2, updated at every step.

Source: George et al. (2018), Algorithm 1; `"batch"` is close to their EKFAC-ra.

Deviations: when a basis is recomputed the old diagonal refers to other directions, so s is reset to
KFAC's D_S D_A^T. The next statistics replace it, and from there s is their mean and later their
moving average (`"batch"` keeps averaging from KFAC's value, as the square of a single gradient is
too noisy). Momentum, trust region, staggering, the parameters left to AdamW and the scaling with
width are as in `kfac`.
"""

from __future__ import annotations

import math

import torch

from harness.core.errors import UnknownNameError
from submissions.common.eigenbasis import decompose, failures_of
from submissions.common.kronecker_factors import Uses, accumulate, rows, second_moment
from submissions.common.layerwise import Layer, LayerwiseSubmission
from submissions.common.optimizers import State

DIAGONALS = ("batch", "examples")


class Submission(LayerwiseSubmission):
    """EKFAC on linear, convolution and recurrent layers, AdamW on the rest."""

    def start(self, layer: Layer) -> None:
        """Initialise both factors to zero."""
        if self.point["diagonal"] not in DIAGONALS:
            raise UnknownNameError("diagonal", self.point["diagonal"], DIAGONALS)
        out, width = layer.matrix_shape()
        layer.state["a"] = layer.weight.new_zeros(width, width)
        layer.state["s"] = layer.weight.new_zeros(out, out)
        layer.state["observations"] = 0

    def observe(self, layer: Layer, usage: Uses, targets: int) -> None:
        """Average both factors, and the diagonal in the current basis if there is one."""
        state = layer.state
        inputs, gradients = rows(usage, targets, self.point["sharing"])
        accumulate(state["a"], inputs, self.point["factor_beta"])
        accumulate(state["s"], gradients, self.point["factor_beta"])
        state["observations"] += 1
        if "diagonal" in state and self.point["diagonal"] == "examples":
            moment = second_moment(usage, targets, state["a_basis"], state["s_basis"])
            state["age"] += 1
            weight = max(1 - self.point["diagonal_beta"], 1 / state["age"])
            state["diagonal"].lerp_(moment, weight)

    def refresh(self, layer: Layer) -> None:
        """Recompute the bases and reset the diagonal to KFAC's."""
        state = layer.state
        correction = 1 - self.point["factor_beta"] ** state["observations"]
        a_values, state["a_basis"] = _decompose(state, "a", correction)
        s_values, state["s_basis"] = _decompose(state, "s", correction)
        state["diagonal"] = torch.outer(s_values.clamp(min=0.0), a_values.clamp(min=0.0))
        state["age"] = 0

    def direction(self, layer: Layer, gradient: torch.Tensor) -> torch.Tensor:
        """Scale the gradient in the eigenbasis."""
        state = layer.state
        rotated_gradient = state["s_basis"].mT @ gradient @ state["a_basis"]
        if self.point["diagonal"] == "batch":
            state["diagonal"].lerp_(rotated_gradient.square(), 1 - self.point["diagonal_beta"])
        rotated_gradient /= state["diagonal"] + self.point["damping"] * math.prod(layer.damping)
        step: torch.Tensor = state["s_basis"] @ rotated_gradient @ state["a_basis"].mT
        return step


def _decompose(state: State, side: str, correction: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues and basis of a factor; the old basis, or the identity, if none converges."""
    factor, old = state[side] / correction, state.get(f"{side}_basis")
    pair = decompose(factor, failures_of(state), old)
    if pair is not None:
        return pair
    basis = torch.eye(len(factor)).to(factor) if old is None else old
    return (basis * (factor @ basis)).sum(0), basis
