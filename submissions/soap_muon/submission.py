"""SOAP-Muon: SOAP's direction, orthogonalised as Muon's.

With SOAP's bases U and moments M~_t and V_t in them, G~_t = U_L^T G_t U_R, for a matrix (r, c)

    N_t = M~_t / (sqrt(V_t) + epsilon)
    N_t = (M~_t + (1 - beta1) G~_t) / (sqrt(V_t) + epsilon)      nesterov = true
    O_t = X_K(N_t), by Muon's Newton-Schulz iteration
    S_t = sign(O_t) sqrt(|O_t|), entry by entry                  root = true, else O_t
    W_{t+1} = (1 - eta lambda) W_t - eta c_t sqrt(r) U_L (S_t / ||S_t||_F) U_R^T

with c_t = sqrt(1 - beta2^t) / (1 - beta1^t), Adam's bias correction, on hidden matrices and
kernels, AdamW elsewhere. With `sides = "short"` the longer side keeps the identity as its basis
(the left one of a square). SOAP then whitens one side of the gradients' covariance and
orthogonalisation the other; the root is a third, milder whitening, without which the source saw
instabilities. The factor sqrt(r) gives a step the norm of Muon's. Factors and bases are those of
`submissions.soap`.

Source: Vyas et al. (2025), "Improving SOAP Using Iterative Whitening and Muon", and the authors'
code, github.com/nikhilvyas/SOAP_MUON, in its variant for modded-nanogpt; `root = false` is its
variant for OLMo, except for the step's norm.

Deviations: those of `submissions.soap`, and of `submissions.muon` in the iteration, among them
other coefficients; the two cubic iterations that the source adds to its five are left out. Matrices
fused along their output dimension are one matrix, as in SOAP.
"""

from __future__ import annotations

from functools import partial

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.batching import apply_by_shape
from submissions.common.matrix_sign import newton_schulz, product_dtype
from submissions.common.optimizers import Group, State, TorchProblem
from submissions.common.rotated_adam import update_moments
from submissions.common.two_sided import project_back
from submissions.soap.optimizer import Soap
from submissions.soap.submission import build_relative

from .sides import sides_of

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No single rule fits both the orthogonalised matrices and the parameters left to AdamW."""
FLOOR = 1e-7
"""A norm of N below which steps become shorter, as in the source."""


class SoapMuon(Soap):
    """SOAP-Muon; groups have `nesterov`, `root`, `norm`, `coefficients` and `newton_schulz_steps`
    and `sides` beside SOAP's settings.
    """

    def sides(self, gradient: torch.Tensor, group: Group) -> tuple[str, ...]:
        """Both, or the shorter one."""
        rows, columns = gradient.shape
        return sides_of(rows, columns, group["sides"])

    def move_all(self, gradients: dict[torch.Tensor, torch.Tensor], group: Group) -> None:
        """Move all parameters; matrices of equal shape are orthogonalised in one call."""
        if not gradients:
            return
        directions = [self.direction(self.state[p], g, group) for p, g in gradients.items()]
        sign = partial(
            newton_schulz,
            steps=group["newton_schulz_steps"],
            norm=group["norm"],
            coefficients=group["coefficients"],
            dtype=product_dtype(directions[0].device, group["matmul_dtype"]),
            floor=FLOOR,
        )
        for parameter, factor in zip(gradients, apply_by_shape(sign, directions), strict=True):
            self.step_along(parameter, factor.to(directions[0].dtype), group)

    def direction(self, state: State, gradient: torch.Tensor, group: Group) -> torch.Tensor:
        """N_t, after the moments have been updated."""
        rotated_gradient = update_moments(state, gradient, group)
        ahead: torch.Tensor = state["momentum"]
        if group["nesterov"]:
            ahead = ahead.add(rotated_gradient, alpha=1 - group["betas"][0])
        scale: torch.Tensor = state["second"].sqrt() + group["eps"]
        return ahead / scale

    def step_along(self, parameter: torch.Tensor, factor: torch.Tensor, group: Group) -> None:
        """Apply weight decay and the step of a parameter's O_t."""
        state, (beta1, beta2) = self.state[parameter], group["betas"]
        step = factor.abs().sqrt_().mul_(factor.sign()) if group["root"] else factor
        step = step / torch.linalg.matrix_norm(step).clamp(min=torch.finfo(step.dtype).tiny)
        correction = (1 - beta2 ** state["step"]) ** 0.5 / (1 - beta1 ** state["step"])
        length = group["lr"] * correction * len(step) ** 0.5
        direction = project_back(state, step, product_dtype(step.device, group["matmul_dtype"]))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.sub_((direction * length).view_as(parameter))


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """SOAP-Muon on hidden matrices and kernels, AdamW on the rest, with their schedule."""
    of_muon = ("nesterov", "norm", "coefficients", "newton_schulz_steps")
    names = ("stagger", "sides", "root", *of_muon)
    return build_relative(SoapMuon, problem, hyperparameters, *names, rate="adam_learning_rate")
