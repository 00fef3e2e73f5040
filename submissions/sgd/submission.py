"""Stochastic gradient descent with momentum: heavy ball or Nesterov.

    u_{t+1} = rho u_t - (g_t + lambda w_t)
    w_{t+1} = w_t + eta u_{t+1}                                        heavy ball
    w_{t+1} = w_t + eta (rho u_{t+1} - (g_t + lambda w_t))             nesterov

Sources: Polyak (1964); Nesterov (1983) in the form of Sutskever et al. (2013), as in `torch.optim`.

Deviations: in Polyak's equation the learning rate multiplies only the gradient, so under a schedule
past steps keep their own rates; here the velocity is a sum of gradients and the current rate scales
all of it. Nesterov's iterate here is the look-ahead point w_t + eta rho u_t, at which the gradient
is taken: the same iterates up to a change of variables while eta and rho are constant. Weight decay
is coupled (an l2 penalty) and applies to every parameter.
"""

from __future__ import annotations

import torch
from torch.optim import SGD, Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.layouts import with_matching_gradients
from submissions.common.optimizers import TorchProblem, is_fused


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """SGD with momentum on all parameters, with its schedule."""
    parameters = list(problem.parameters.values())
    optimizer = SGD(
        parameters,
        lr=hyperparameters["learning_rate"],
        momentum=hyperparameters["momentum"],
        nesterov=hyperparameters["nesterov"],
        weight_decay=hyperparameters["weight_decay"],
        fused=is_fused(parameters),
    )
    if hyperparameters["momentum"] != 0.0:
        # Torch creates these buffers at the first step, but its fused kernel needs all of them.
        for value in parameters:
            optimizer.state[value]["momentum_buffer"] = torch.zeros_like(value)
    return with_matching_gradients(optimizer), schedules.from_hyperparameters(hyperparameters)
