"""AdEMAMix: AdamW with a second, slow average of the gradients in its numerator.

    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    n_t = beta3(t) n_{t-1} + (1 - beta3(t)) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    w_{t+1} = (1 - eta lambda) w_t - eta (m^_t + alpha(t) n_t) / (sqrt(v^_t) + epsilon)

with m^_t = m_t / (1 - beta1^t) and v^_t = v_t / (1 - beta2^t). The slow average n_t starts at zero
and is not corrected for it. Over the first T = `slow_warmup` steps, with s = t / T,

    alpha(t) = s alpha,   f(beta3(t)) = (1 - s) f(beta1) + s f(beta3),   f(b) = ln(1/2) / ln(b) - 1

so that the half-life of n_t rises linearly from m_t's; after that both have their final values.

Source: Pagliardini, Ablin and Grangier (2025), Algorithm 1, and the authors' code, whose f has 1e-8
in the logarithm, as here. Deviations: T is a number of steps and not the length of training. The
authors' beta3 of 0.9999 is for runs of 10^5 steps and more; those here are of 10^2 to 10^4, and the
default is smaller, as their section C.1.5 advises.
"""

from __future__ import annotations

import math

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import AdaptiveMethod, Group, TorchProblem, adaptive_settings
from submissions.common.vectors import chunks, state_lists

OFFSET = 1e-8
"""Added to a decay rate under the logarithm, as in the source."""


class AdEMAMix(AdaptiveMethod):
    """AdEMAMix; the module docstring states the update. Groups have `beta3`, `alpha`, `slow_warmup`
    beside AdamW's settings.
    """

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        rate, (beta1, beta2) = group["lr"], group["betas"]
        for t, parameters in chunks(self.state, group["params"]):
            names = ("first", "slow", "second")
            first, slow, second = state_lists(self.state, parameters, names)
            gradients = [p.grad for p in parameters if p.grad is not None]
            fraction = min(1.0, t / group["slow_warmup"]) if group["slow_warmup"] else 1.0
            torch._foreach_lerp_(first, gradients, 1 - beta1)
            torch._foreach_lerp_(slow, gradients, 1 - slow_beta(fraction, beta1, group["beta3"]))
            torch._foreach_mul_(second, beta2)
            torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
            # Folding the scalar corrections into the learning rate saves two passes over memory.
            here, root = 1 - beta1**t, (1 - beta2**t) ** 0.5
            direction = torch._foreach_add(first, slow, alpha=fraction * group["alpha"] * here)
            scale = torch._foreach_sqrt(second)
            torch._foreach_add_(scale, group["eps"] * root)
            torch._foreach_mul_(parameters, 1 - rate * group["weight_decay"])
            torch._foreach_addcdiv_(parameters, direction, scale, -rate * root / here)


def slow_beta(fraction: float, beta1: float, beta3: float) -> float:
    """The slow average's decay rate at a fraction of its warmup."""
    if fraction >= 1.0:
        return beta3
    ends = [math.log(0.5) / math.log(beta + OFFSET) - 1.0 for beta in (beta1, beta3)]
    return float(0.5 ** (1.0 / ((1.0 - fraction) * ends[0] + fraction * ends[1] + 1.0)))


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """AdEMAMix on all parameters, with its schedule."""
    settings = adaptive_settings(hyperparameters, "beta3", "alpha", "slow_warmup")
    optimizer = AdEMAMix(problem.parameters.values(), **settings)
    return optimizer, schedules.from_hyperparameters(hyperparameters)
