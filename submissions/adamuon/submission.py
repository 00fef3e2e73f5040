"""AdaMuon: Muon whose entries are normalised by running averages of their squares.

    O_t = X_K, the orthogonalised sign(M~_t), with Muon's momentum M~_t, (r, c)
    V_t = beta2 V_{t-1} + (1 - beta2) O_t^2,   V^_t = V_t / (1 - beta2^t)
    O^_t = O_t / (sqrt(V^_t) + epsilon)
    W_{t+1} = (1 - eta lambda) W_t - eta 0.2 sqrt(r c) / ||O^_t||_F O^_t

on hidden matrices and kernels, AdamW elsewhere. The step has a root mean square of 0.2, so that
AdamW's learning rates carry over.

Source: Si, Zhang and Shen (2025), "AdaMuon: Adaptive Muon Optimizer", Algorithm 1. Its sign makes
the direction invariant to the scale of each entry's gradients; the authors' code,
github.com/Chongjie-Si/AdaMuon, omits it, as `sign = false` does here.

Deviations: those of `submissions.muon`, among them other coefficients; `scaling` is fixed. Fused
matrices are rescaled separately.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.optimizers import Group, State, TorchProblem
from submissions.common.precision import at_least_float32, bound_gradient, signs
from submissions.muon.submission import PARAMETRISATION_RULES, Muon, build_relative

__all__ = ["PARAMETRISATION_RULES", "AdaMuon", "build"]
ROOT_MEAN_SQUARE = 0.2
"""The root mean square of a step at a learning rate of 1, about Adam's."""


class AdaMuon(Muon):
    """AdaMuon; the module docstring states the update. Groups have `beta2`, `epsilon` and `sign`
    beside Muon's settings.
    """

    def direction(self, parameter: torch.Tensor, group: Group) -> torch.Tensor:
        """sign(M~), or M~, after the momentum has been updated."""
        momentum = super().direction(parameter, group)
        return signs(momentum) if group["sign"] else bound_gradient(momentum)

    def scale_update(
        self, state: State, signs: list[torch.Tensor], group: Group
    ) -> list[torch.Tensor]:
        """0.2 sqrt(r c) / ||O^|| O^ of one parameter's orthogonalised matrices."""
        whole, beta2, epsilon = at_least_float32(torch.cat(signs)), group["beta2"], group["epsilon"]
        if "second" not in state:
            state["second"] = torch.zeros_like(whole)
        second: torch.Tensor = state["second"]
        state["step"] = state.get("step", 0) + 1
        second.mul_(beta2).addcmul_(whole, whole, value=1 - beta2)
        update = whole / ((second / (1 - beta2 ** state["step"])).sqrt_() + epsilon)
        steps = []
        for part in update.split([len(sign) for sign in signs]):
            length = ROOT_MEAN_SQUARE * part.numel() ** 0.5
            steps.append(part * (length / (torch.linalg.matrix_norm(part) + epsilon)))
        return steps


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """AdaMuon on hidden matrices and kernels, AdamW on the rest, with their shared schedule."""
    point = {"scaling": "rms", **hyperparameters}
    return build_relative(AdaMuon, problem, point, "beta2", "epsilon", "sign")
