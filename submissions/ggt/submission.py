"""GGT: full-matrix AdaGrad of the last r gradients.

    m_t = beta1 m_{t-1} + (1 - beta1) g_t,   m^_t = m_t / (1 - beta1^t)
    G_t = [g_t, beta2 g_{t-1}, ..., beta2^{r-1} g_{t-r+1}]
    G_t^T G_t = V S^2 V^T,   U = G_t V S^-1
    w_{t+1} = (1 - eta lambda) w_t - eta [(G_t G_t^T)^(1/2) + epsilon I]^-1 m^_t
            = ... - eta [m^ / epsilon + U (1 / (S + epsilon) - 1 / epsilon) U^T m^]

with all parameters as one vector. epsilon is relative to the root mean square of S and so
independent of the gradients' scale. `outside` scales the component of m^ outside the window's span,
whose step in the equation is m^ / epsilon.

Source: Agarwal et al. (2019), "Efficient full-matrix adaptive regularization", Algorithm 1.

Deviations: the relative epsilon and `outside`; the authors' code also treats that component
separately. Only the row of G^T G for the newest gradient is computed, the rest is rescaled.
Directions with S below 1e-4 of the largest count as outside. If the window is all zeros no step is
taken. The state is r copies of the parameters, so the method suits small models. A gradient with an
entry above 4e6 is scaled down to that, so that its powers do not overflow.

Loss at the defaults compared with `sgd` after the same number of steps: lower on `rnn` (80 steps)
and `resnet` (250), higher on `mlp` (by 0.005 after 600) and, at half the learning rate, on `lm` (by
0.3 after 150), likely because r gradients span too little of the parameter space there.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.eigenbasis import decompose, failures_of
from submissions.common.flat import add, flatten
from submissions.common.optimizers import Group, GroupwiseOptimizer, State, TorchProblem
from submissions.common.precision import at_least_float32, bound_gradient

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No rule exists for a step whitened over all weights jointly."""
NULL = 1e-4


class Ggt(GroupwiseOptimizer):
    """GGT; the state of a whole group is stored under its first parameter.

    Args:
        parameters: the parameters to optimise; one without a gradient is treated as having a zero
            gradient and is not decayed.
        settings: `lr`, `weight_decay`, `betas`, `eps`, `outside` and `window` (r).
    """

    def __init__(self, parameters: Iterable[torch.Tensor], **settings: object) -> None:
        super().__init__(parameters, settings)

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        parameters, (beta1, beta2) = group["params"], group["betas"]
        state = self.state[parameters[0]]
        flat = flatten(_gradient(parameter) for parameter in parameters)
        gradient = bound_gradient(at_least_float32(flat))
        if not state:
            state["step"], size = 0, group["window"]
            state["momentum"] = torch.zeros_like(gradient)
            state["window"] = gradient.new_zeros(size, len(gradient))
            state["gram"] = gradient.new_zeros(size, size)
        place = state["step"] % group["window"]
        state["step"] += 1
        state["momentum"].lerp_(gradient, 1 - beta1)
        _enter(state, place, gradient, beta2)
        average = state["momentum"] / (1 - beta1 ** state["step"])
        step = _direction(state, average, group)
        for parameter in (parameter for parameter in parameters if parameter.grad is not None):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
        add(parameters, step, -group["lr"])


def _gradient(parameter: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _enter(state: State, place: int, gradient: torch.Tensor, beta: float) -> None:
    """Overwrite the oldest gradient with the newest; decay the others and their products."""
    window, gram = state["window"], state["gram"]
    window.mul_(beta)
    window[place] = gradient
    gram.mul_(beta**2)
    products = window @ gradient
    gram[place], gram[:, place] = products, products


def _direction(state: State, average: torch.Tensor, group: Group) -> torch.Tensor:
    pair = decompose(state["gram"].double(), failures_of(group))
    if pair is None:
        return torch.zeros_like(average)
    values, vectors = pair
    sizes = values.clamp(min=0.0).sqrt()
    if float(sizes[-1]) == 0.0:
        return torch.zeros_like(average)
    nonzero = sizes > NULL * sizes[-1]
    epsilon = group["eps"] * sizes[nonzero].square().mean().sqrt()
    # U^T m = S^-1 V^T G^T m, and U x = G V S^-1 x.
    to_basis = (vectors[:, nonzero] / sizes[nonzero]).mT.to(average)
    inside = to_basis @ (state["window"] @ average)
    outside = group["outside"] / epsilon.to(average)
    scales = 1 / (sizes[nonzero] + epsilon).to(average) - outside
    back = to_basis.mT @ (scales * inside)
    step: torch.Tensor = outside * average + state["window"].mT @ back
    return step


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """GGT on all parameters, with its schedule."""
    optimizer = Ggt(
        problem.parameters.values(),
        lr=hyperparameters["learning_rate"],
        weight_decay=hyperparameters["weight_decay"],
        betas=(hyperparameters["beta1"], hyperparameters["beta2"]),
        eps=hyperparameters["epsilon"],
        outside=hyperparameters["outside"],
        window=hyperparameters["window"],
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
