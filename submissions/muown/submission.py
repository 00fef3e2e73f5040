"""Muown: Muon on the directions of a matrix's rows, Adam on their norms.

With rows W_i = g_i v_i / ||v_i||, u_i = v_i / ||v_i|| and G the gradient in W,

    a_i = <G_i, u_i>,   A_i = (g_i / ||v_i||) (G_i - a_i u_i)      the gradients in g_i and v_i
    V_{t+1} = V_t - eta 0.2 sqrt(max(r, c)) X_K(A_t)               Muon's orthogonalised momentum
    g_{t+1} = g_t - eta m^_t / (sqrt(s^_t) + epsilon)              Adam's moments of a_t
    W_{t+1} = g_{t+1} V_{t+1} / ||V_{t+1}|| - eta lambda W_t       row by row

on hidden matrices (r, c) and kernels, AdamW elsewhere. Under Muon the rows' norms drift upwards,
and with them the spectral norm; here they grow only where that lowers the loss. As ||v_i|| grows,
rows turn by smaller angles at the same rate.

Source: Lion et al. (2026), "Muown: Row-Norm Control for Muon Optimization", Algorithm 1 with the
momentum, scale and decay of its appendix C, and the authors' code, github.com/kcc-lion/muown.

Deviations: those of `submissions.muon`, among them other coefficients. g is read off the weights at
every step, as in the source after a step with decay, and so reflects any other change to them. A
row of zeros, which has no direction, is treated as having norm 1e-8. Kernels are flattened to (out,
in * height * width).
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.optimizers import Group, TorchProblem
from submissions.common.precision import at_least_float32, bound_gradient
from submissions.muon.submission import PARAMETRISATION_RULES, Muon, build_relative

__all__ = ["PARAMETRISATION_RULES", "Muown", "build"]
SMALLEST = 1e-8
"""The norm that a row of zeros is treated as having."""


class Muown(Muon):
    """Muown; the module docstring states the update. Groups have `gain_beta1`, `gain_beta2` and
    `epsilon` beside Muon's settings.

    A parameter's state has `length`, ||v_i||, and Adam's moments `first` and `second`, all (r, 1).
    """

    is_divided = False

    def direction(self, parameter: torch.Tensor, group: Group) -> torch.Tensor:
        """M~ of the gradient in v; Adam's moments are updated with the gradient in g."""
        assert parameter.grad is not None
        state = self.state[parameter]
        gradient, weight = (at_least_float32(x.flatten(1)) for x in (parameter.grad, parameter))
        gain = norms(weight)
        if "length" not in state:
            state["step"], state["length"] = 0, gain.clone()
            state["first"], state["second"] = torch.zeros_like(gain), torch.zeros_like(gain)
        unit = weight / gain
        slope = (gradient * unit).sum(1, keepdim=True)
        state["step"] += 1
        state["first"].lerp_(slope, 1 - group["gain_beta1"])
        beta2 = group["gain_beta2"]
        state["second"].mul_(beta2).addcmul_(slope, slope, value=1 - beta2)
        across = (gradient - unit * slope) * (gain / state["length"])
        return bound_gradient(self.average_momentum(parameter, across, group))

    def move(self, parameter: torch.Tensor, step: torch.Tensor, group: Group) -> None:
        """Move the directions by a step of Muon's and the norms by Adam's."""
        state, rate = self.state[parameter], group["lr"]
        weight = at_least_float32(parameter.flatten(1))
        gain = norms(weight)
        directions = weight * (state["length"] / gain) - rate * step.flatten(1)
        state["length"] = norms(directions)
        first = state["first"] / (1 - group["gain_beta1"] ** state["step"])
        second = state["second"] / (1 - group["gain_beta2"] ** state["step"])
        gain = gain - rate * first / (second.sqrt() + group["epsilon"])
        new_weight = directions * (gain / state["length"])
        new_weight.add_(weight, alpha=-rate * group["weight_decay"])
        parameter.copy_(new_weight.view_as(parameter))


def norms(matrix: torch.Tensor) -> torch.Tensor:
    """The norms of a matrix's rows, (r, 1)."""
    result: torch.Tensor = torch.linalg.vector_norm(matrix, dim=1, keepdim=True)
    return result.clamp_(min=SMALLEST)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Muown on hidden matrices and kernels, AdamW on the rest, with their shared schedule."""
    point = {"scaling": "rms", **hyperparameters}
    return build_relative(Muown, problem, point, "gain_beta1", "gain_beta2", "epsilon")
