"""Adafactor: second moments of matrices kept as one average of each row and one of each column.

    beta_t = 1 - t^-c
    R_t = beta_t R_{t-1} + (1 - beta_t) mean over columns of (G_t^2 + epsilon1)
    C_t = beta_t C_{t-1} + (1 - beta_t) mean over rows of (G_t^2 + epsilon1)
    V_t = R_t C_t^T / mean(R_t)
    U_t = G_t / sqrt(V_t),   U~_t = U_t / max(1, RMS(U_t) / d)
    W_{t+1} = (1 - eta lambda) W_t - eta max(epsilon2, RMS(W_t)) U~_t

with c = `decay_power`, d = `step_bound` and epsilon1 = 1e-30. Vectors keep their full second
moment. There is no momentum, so the state is a row and a column of each matrix.

Source: Shazeer and Stern (2018), Algorithms 4 to 6. Deviations: eta is this benchmark's schedule
times a learning rate and not min(1e-2, 1 / sqrt(t)). Decay, which the source does not have, is
decoupled. Kernels are flattened to (out, in * height * width). A gradient with an entry above 4e6
is scaled down to that, so that its square does not overflow.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import Group, GroupwiseOptimizer, State, TorchProblem
from submissions.common.precision import at_least_float32, bound_gradient

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No rule exists for a step that is proportional to the weight's own size."""
EPSILON = 1e-30
"""epsilon1, added to squared gradients."""


class Adafactor(GroupwiseOptimizer):
    """Adafactor; the module docstring states the update. Groups have `lr`, `weight_decay`,
    `decay_power`, `step_bound` and `epsilon` (epsilon2).
    """

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            state["step"] = state.get("step", 0) + 1
            gradient = bound_gradient(at_least_float32(parameter.grad))
            gradient = gradient.flatten(1) if gradient.ndim > 1 else gradient
            step = gradient * _inverse_root(state, gradient, state["step"] ** -group["decay_power"])
            step = step / (_size(step) / group["step_bound"]).clamp(min=1.0)
            size = _size(at_least_float32(parameter)).clamp(min=group["epsilon"])
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.sub_((step * (group["lr"] * size)).view_as(parameter))


def _inverse_root(state: State, gradient: torch.Tensor, weight: float) -> torch.Tensor:
    """V_t^(-1/2), of the gradient's shape or broadcast to it, after V_t has been updated."""
    square = gradient.square().add_(EPSILON)
    if gradient.ndim < 2:
        return _average(state, "second", square, weight).rsqrt()
    rows = _average(state, "rows", square.mean(1, keepdim=True), weight)
    columns = _average(state, "columns", square.mean(0, keepdim=True), weight)
    return (rows / rows.mean()).rsqrt() * columns.rsqrt()


def _average(state: State, name: str, value: torch.Tensor, weight: float) -> torch.Tensor:
    if name not in state:
        state[name] = torch.zeros_like(value)
    average: torch.Tensor = state[name]
    return average.lerp_(value, weight)


def _size(values: torch.Tensor) -> torch.Tensor:
    """The root mean square, a scalar."""
    return values.square().mean().sqrt()


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Adafactor on all parameters, with its schedule."""
    names = ("weight_decay", "decay_power", "step_bound", "epsilon")
    settings = {name: hyperparameters[name] for name in names}
    settings["lr"] = hyperparameters["learning_rate"]
    optimizer = Adafactor(problem.parameters.values(), settings)
    return optimizer, schedules.from_hyperparameters(hyperparameters)
