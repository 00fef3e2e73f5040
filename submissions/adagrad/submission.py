"""Diagonal AdaGrad: each coordinate's step shrinks with the sum of its squared gradients.

    v_t = v_{t-1} + g_t^2
    w_{t+1} = w_t - eta g_t / (sqrt(v_t) + epsilon)

Source: Duchi, Hazan and Singer (2011), as in `torch.optim.Adagrad`; v_0 is
`initial_accumulator`.

Deviations: the thesis has epsilon under the root, sqrt(v_t + epsilon), in its section 3.1.4, and
omits it where it first states the update. Weight decay is coupled.
"""

from __future__ import annotations

from torch.optim import Adagrad, Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.layouts import is_dense, with_matching_gradients
from submissions.common.optimizers import TorchProblem


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """AdaGrad on all parameters, with its schedule."""
    parameters = list(problem.parameters.values())
    optimizer = Adagrad(
        parameters,
        lr=hyperparameters["learning_rate"],
        initial_accumulator_value=hyperparameters["initial_accumulator"],
        eps=hyperparameters["epsilon"],
        weight_decay=hyperparameters["weight_decay"],
        # Torch's fused AdaGrad kernel is CPU-only; on other devices torch falls back to foreach.
        fused=True if all(v.device.type == "cpu" and is_dense(v) for v in parameters) else None,
    )
    return with_matching_gradients(optimizer), schedules.from_hyperparameters(hyperparameters)
