"""KFAC: gradients preconditioned by the inverse covariances of layer inputs and output gradients.

    A_t = beta A_{t-1} + (1 - beta) E[h h^T],   S_t = beta S_{t-1} + (1 - beta) E[d d^T]
    every T_inv steps:  A~ = (A^_t + pi gamma I)^-1,   S~ = (S^_t + gamma / pi I)^-1
    D_t = S~ G_t A~,   nu_t = min(1, sqrt(kappa / (eta^2 sum <G_t, D_t>)))
    M_t = mu M_{t-1} + nu_t D_t
    W_{t+1} = (1 - eta lambda_w) W_t - eta M_t

h is the layer's input with a 1 appended for the bias, d the gradient with respect to its output
under targets sampled from the model (`fisher = "sampled"`) or the true targets (`"empirical"`); A^
and S^ are the bias-corrected averages; pi^2 = (tr A / dim A) / (tr S / dim S). gamma is
sqrt(lambda) with `damping_form = "paper"` and lambda itself with `"thesis"`. For the factors of
convolutions and of weights shared over a sequence see `common.kronecker_factors`.

Source: Martens and Grosse (2015); the trust region of kappa from Ba et al. (2017).

Deviations: the paper uses the exact Fisher to rescale each step, choose the momentum and adapt
lambda, which costs two more passes per step; here a trust region bounds the step, as in later
distributed versions. Statistics are collected every `observe_every` steps. Inverses are refreshed
layer by layer, spread over the T_inv steps, so that no single step bears the whole cost; a layer
does not move until it has its first inverses. Embeddings, norms, weights shared by two layers and
layers with a dimension above `max_dim` use AdamW. Under maximal-update parametrisation both
dampings are scaled by the factors, and AdamW by the learning-rate multipliers, of
`harness.submission.parametrisation`.
"""

from __future__ import annotations

import torch

from harness.core.errors import UnknownNameError
from submissions.common.kronecker_factors import (
    Uses,
    accumulate,
    damped_inverse,
    factored_damping,
    rows,
)
from submissions.common.layerwise import Layer, LayerwiseSubmission

DAMPING_FORMS = ("paper", "thesis")


class Submission(LayerwiseSubmission):
    """KFAC on linear, convolution and recurrent layers, AdamW on the rest."""

    def start(self, layer: Layer) -> None:
        """Initialise both factors to zero."""
        if self.point["damping_form"] not in DAMPING_FORMS:
            raise UnknownNameError("damping form", self.point["damping_form"], DAMPING_FORMS)
        out, width = layer.matrix_shape()
        layer.state["a"] = layer.weight.new_zeros(width, width)
        layer.state["s"] = layer.weight.new_zeros(out, out)
        layer.state["observations"] = 0

    def observe(self, layer: Layer, usage: Uses, targets: int) -> None:
        """Update the moving averages of both factors."""
        inputs, gradients = rows(usage, targets, self.point["sharing"])
        accumulate(layer.state["a"], inputs, self.point["factor_beta"])
        accumulate(layer.state["s"], gradients, self.point["factor_beta"])
        layer.state["observations"] += 1

    def refresh(self, layer: Layer) -> None:
        """Invert both damped factors."""
        correction = 1 - self.point["factor_beta"] ** layer.state["observations"]
        a, s = layer.state["a"] / correction, layer.state["s"] / correction
        damping = self.point["damping"]
        gamma = damping**0.5 if self.point["damping_form"] == "paper" else damping
        for_a, for_s = factored_damping(a, s, gamma)
        layer.state["a_inverse"] = damped_inverse(a, for_a * layer.damping[0])
        layer.state["s_inverse"] = damped_inverse(s, for_s * layer.damping[1])

    def direction(self, layer: Layer, gradient: torch.Tensor) -> torch.Tensor:
        """S~ G A~."""
        step: torch.Tensor = layer.state["s_inverse"] @ gradient @ layer.state["a_inverse"]
        return step
