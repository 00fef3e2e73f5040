"""Amos: Adam with one second moment per row, whose rate and decay shrink as training progresses.

For a row of a matrix or kernel, or a whole vector, g with weights w of the expected size s,

    v_t = beta v_{t-1} + (1 - beta) mean(g_t^2),   v^_t = v_t / (1 - beta^t)
    gamma_t = xi^2 / sqrt(1 + sqrt(xi) b_t / 4) mean(g_t^2) / v^_t
    u_t = (xi s g_t / sqrt(v^_t) + gamma_t w_t / 2) / (1 + sqrt(xi s) b_t / 4)
    b_{t+1} = b_t + gamma_t (1 + b_t),   b_0 = 0
    m_t = mu m_{t-1} + (1 - mu) u_t,   w_{t+1} = w_t - m_t

xi, the learning rate, is a step's length relative to the weight. The decay gamma / 2 is the one
under which weights keep the size s, and both fall as b, the sum of gamma, grows: about as 1 / t
once xi^2 t is large, whatever the length of the training.

    s = 1 / sqrt(fan_in)     matrices, kernels, the output
    s = sqrt(2 / width)      embeddings
    s = 1                    gains of norms
    s = 1 / 2                biases, other vectors

Source: Tian and Parikh (2022), "Amos: An Adam-style Optimizer with Adaptive Weight Decay towards
Model-Oriented Scale", Algorithm 1, and the authors' code, github.com/google-research/jestimator,
with the sizes and the shared moments that it uses for BERT.

Deviations: xi also follows this benchmark's schedule; most of the source's runs use warmup alone.
For a matrix that follows a ReLU the source uses sqrt(2 / fan_in); a spec does not say what precedes
a matrix. There is no clipping of entries, and a gradient with an entry above 4e6 is scaled down to
that, so that its square does not overflow.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import Group, GroupwiseOptimizer, TorchProblem
from submissions.common.precision import at_least_float32, bound_gradient

from .sizes import expected_size

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""None: each weight's expected size already scales its step with width."""
LEAST = 2.0**-125
"""A lower bound on v, as in the source."""


class Amos(GroupwiseOptimizer):
    """Amos; the module docstring states the update. Groups have `lr` (xi), `momentum` (mu), `beta`
    and `size` (s).
    """

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        for parameter in group["params"]:
            if parameter.grad is not None:
                step = self._step(parameter, group)
                parameter.sub_(step.to(parameter.dtype))

    def _step(self, parameter: torch.Tensor, group: Group) -> torch.Tensor:
        """m_t, after the moments have been updated."""
        assert parameter.grad is not None
        state, rate, beta, mu = self.state[parameter], group["lr"], group["beta"], group["momentum"]
        gradient = bound_gradient(at_least_float32(parameter.grad))
        square = _mean_square(gradient)
        if not state:
            state.update(
                step=0, second=torch.zeros_like(square), decay_sum=torch.zeros_like(square)
            )
            if mu:
                state["momentum"] = torch.zeros_like(gradient)
        state["step"] += 1
        second: torch.Tensor = state["second"].lerp_(square, 1 - beta)
        inverse = (1 - beta ** state["step"]) / second.clamp(min=LEAST)
        decay_sum: torch.Tensor = state["decay_sum"]
        decay = inverse * square * rate**2 * (1 + 0.25 * rate**0.5 * decay_sum).rsqrt()
        length = rate * group["size"]
        step = gradient * (length * inverse.sqrt()) + at_least_float32(parameter) * (decay / 2)
        step = step / (1 + 0.25 * length**0.5 * decay_sum)
        decay_sum.add_(decay * (1 + decay_sum))
        momentum: torch.Tensor = state["momentum"].lerp_(step, 1 - mu) if mu else step
        return momentum


def _mean_square(gradient: torch.Tensor) -> torch.Tensor:
    """The mean square of each row, or of a whole vector, shaped to be broadcast."""
    dims = tuple(range(1, gradient.ndim)) or (0,)
    return gradient.square().mean(dims, keepdim=True)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Amos on all parameters, one group a size, with its schedule."""
    groups: dict[float, list[torch.Tensor]] = {}
    for name, spec in problem.specs.items():
        groups.setdefault(expected_size(spec), []).append(problem.parameters[name])
    settings = {name: hyperparameters[name] for name in ("momentum", "beta")}
    optimizer = Amos(
        [{"params": values, "size": size} for size, values in groups.items()],
        {"lr": hyperparameters["learning_rate"], "size": 1.0, **settings},
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
