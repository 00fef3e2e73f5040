"""NorMuon: Muon whose rows are normalised by running averages of their squared entries.

    O_t = X_K, Muon's orthogonalised momentum, (r, c)
    v_t = beta2 v_{t-1} + (1 - beta2) mean over columns of O_t^2, (r, 1)
    O^_t = O_t / (sqrt(v_t) + 1e-10)
    W_{t+1} = (1 - eta lambda) W_t - eta s ||O_t||_F / ||O^_t||_F O^_t

on hidden matrices and kernels, AdamW elsewhere. The singular values of Muon's step are about equal,
the norms of its rows are not; here both are nearly so. With `scaling = "source"` s is Muon's
sqrt(max(1, r / c)), as in the authors' code; with "rms" it is 0.2 sqrt(max(r, c)), which is the
paper's step of root mean square 0.2 up to the error of Newton-Schulz in ||O_t||_F.

Source: Li et al. (2025), "NorMuon: Making Muon more efficient and scalable", Algorithm 1, and the
authors' code, github.com/zichongli5/NorMuon.

Deviations: those of `submissions.muon`, among them other coefficients. Kernels are flattened to
(out, in * height * width) for the averages, too; the authors' code averages them over width. Each
of several fused matrices keeps its own norm.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.optimizers import Group, State, TorchProblem
from submissions.common.precision import at_least_float32, bound_gradient
from submissions.muon.submission import PARAMETRISATION_RULES, Muon, build_relative, scale

__all__ = ["PARAMETRISATION_RULES", "NorMuon", "build"]
EPSILON = 1e-10


class NorMuon(Muon):
    """NorMuon; the module docstring states the update. Groups have `beta2` beside Muon's."""

    def direction(self, parameter: torch.Tensor, group: Group) -> torch.Tensor:
        """M~, of which only the direction matters, with entries whose squares do not overflow."""
        return bound_gradient(super().direction(parameter, group))

    def scale_update(
        self, state: State, signs: list[torch.Tensor], group: Group
    ) -> list[torch.Tensor]:
        """s ||O|| / ||O^|| O^ of one parameter's orthogonalised matrices."""
        whole = at_least_float32(torch.cat(signs))
        if "rows" not in state:
            state["rows"] = whole.new_zeros(len(whole), 1)
        rows: torch.Tensor = state["rows"]
        rows.lerp_(whole.square().mean(1, keepdim=True), 1 - group["beta2"])
        parts = (whole / (rows.sqrt() + EPSILON)).split([len(sign) for sign in signs])
        steps = []
        for sign, part in zip(signs, parts, strict=True):
            ratio = torch.linalg.matrix_norm(at_least_float32(sign))
            ratio = ratio / (torch.linalg.matrix_norm(part) + EPSILON)
            steps.append(part * (ratio * scale(sign, group["scaling"])))
        return steps


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """NorMuon on hidden matrices and kernels, AdamW on the rest, with their shared schedule."""
    return build_relative(NorMuon, problem, hyperparameters, "beta2")
