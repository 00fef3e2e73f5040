"""SignSGD with momentum: every coordinate moves equally far in the momentum's direction.

    m_t = beta m_{t-1} + (1 - beta) g_t
    w_{t+1} = (1 - eta lambda) w_t - eta_t sign(m_t)
    eta_t = eta                    size = "fixed"
    eta_t = eta sum_i |m_{t,i}|    size = "dual_norm", the sum over all entries of all parameters

The second minimises <m, d> + ||d||^2 / (2 eta) over the displacement d in the largest entry's norm,
which is the largest l1 -> linf norm of all matrices: Theorem 4.1 of the thesis, whose sharpness is
1 / eta. Such an eta is smaller than one for "fixed" by a factor of the l1 norm of all gradients.

Sources: Bernstein et al. (2018), Algorithm 2 ("Signum"); Bernstein and Newhouse (2024), for
"dual_norm". The thesis writes sign(m^_t); the bias correction 1 - beta^t changes no sign.

Deviations: weight decay is decoupled. The source's majority vote, for several workers, is omitted.
In "dual_norm" m_t is not bias-corrected, so the first steps are short, and without momentum
(beta = 0) it is the theorem's step.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.optim import Optimizer

from harness.core.errors import UnknownNameError
from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import Group, GroupwiseOptimizer, TorchProblem
from submissions.common.vectors import chunks, state_lists

SIZES = ("dual_norm", "fixed")


class SignSgd(GroupwiseOptimizer):
    """SignSGD with momentum; the module docstring states the update.

    Args:
        parameters: the parameters to optimise.
        lr: learning rate (eta).
        momentum: decay rate of the momentum in [0, 1) (beta).
        weight_decay: decoupled weight decay coefficient (lambda).
        size: one of `SIZES`; the sum of "dual_norm" is over a group.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        size: str = "fixed",
    ) -> None:
        if size not in SIZES:
            raise UnknownNameError("size", size, SIZES)
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "size": size}
        super().__init__(parameters, defaults)

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        rate, decay = group["lr"], group["weight_decay"]
        parts = [self._accumulate(ps, group) for _, ps in chunks(self.state, group["params"])]
        if group["size"] == "dual_norm" and parts:
            norms = torch._foreach_norm([one for _, part in parts for one in part], 1)
            rate *= float(torch.stack(list(norms)).sum())
        for parameters, momentum in parts:
            if decay != 0.0:
                torch._foreach_mul_(parameters, 1 - group["lr"] * decay)
            torch._foreach_add_(parameters, torch._foreach_sign(momentum), alpha=-rate)
            # torch's sign of NaN is 0; 0 m is NaN where m is not finite, so divergence shows up
            torch._foreach_add_(parameters, momentum, alpha=0.0)

    def _accumulate(
        self, parameters: list[torch.Tensor], group: Group
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The parameters and their momenta, this step's gradients included."""
        (momentum,) = state_lists(self.state, parameters, ("momentum",))
        gradients = [p.grad for p in parameters if p.grad is not None]
        torch._foreach_lerp_(momentum, gradients, 1 - group["momentum"])
        return parameters, momentum


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """SignSGD on all parameters, with its schedule."""
    optimizer = SignSgd(
        problem.parameters.values(),
        lr=hyperparameters["learning_rate"],
        momentum=hyperparameters["momentum"],
        weight_decay=hyperparameters["weight_decay"],
        size=hyperparameters["size"],
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
