"""Stochastic spectral descent: polar factors of the gradients, scaled by their nuclear norms.

    M_t = mu M_{t-1} + (1 - mu) G_t = U S V^T
    W_{t+1} = (1 - eta lambda) W_t - eta (tr S) U V^T

which minimises <M, D> + ||D||_2^2 / (2 eta) over D: steepest descent under the spectral norm with
its full step, where Muon keeps only the direction. With `scope = "network"` tr S is summed over all
matrices (the minimiser under the maximum of their spectral norms, Theorem 4.2 of the thesis)
instead of taken per layer. One-dimensional parameters take plain gradient steps, which are steepest
descent under the Euclidean norm.

Source: Carlson et al. (2015), Section 3; Bernstein and Newhouse (2024) for `"network"`.

Deviations: the paper uses a (randomised) singular value decomposition; here the polar factor comes
from Newton-Schulz, accurate to 3e-4 after `polish = 2` final iterations, and tr S = <M, U V^T>.
mu = 0 is the paper's method; momentum is for small batches. Kernels are flattened to
(out, in * height * width); matrices fused along their output dimension are treated separately.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch.optim import Optimizer

from harness.core.errors import UnknownNameError
from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.batching import apply_by_shape, matrices, tensor_of
from submissions.common.dual_maps import polar
from submissions.common.optimizers import Group, GroupwiseOptimizer, TorchProblem, list_parameters

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No rule exists for a step scaled by the sum of all singular values."""
SCOPES = ("layer", "network")


class SpectralDescent(GroupwiseOptimizer):
    """Stochastic spectral descent; the module docstring states the update.

    Args:
        parameters: the parameters to optimise.
        splits: for each parameter, the sizes of matrices fused along its first dimension.
        settings: `lr`, `weight_decay`, `momentum`, `scope`, `polish` and `matmul_dtype`.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        splits: Sequence[Sequence[int]],
        **settings: object,
    ) -> None:
        if settings["scope"] not in SCOPES:
            raise UnknownNameError("scope", str(settings["scope"]), SCOPES)
        group = {"params": list_parameters(parameters), "splits": [list(s) for s in splits]}
        super().__init__([group], settings)

    def add_param_group(self, param_group: Group) -> None:
        """Add a group; without `splits` none of its parameters is several fused matrices."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        group.setdefault("splits", [[] for _ in group["params"]])

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        keys = zip(group["params"], group["splits"], strict=True)
        live = [key for key in keys if key[0].grad is not None]
        momenta = [self._momentum(parameter, group) for parameter, _ in live]
        parts = [
            matrices(momentum, splits) if momentum.ndim > 1 else []
            for momentum, (_, splits) in zip(momenta, live, strict=True)
        ]
        steps = iter(self._steps([matrix for part in parts for matrix in part], group))
        for (parameter, _), momentum, part in zip(live, momenta, parts, strict=True):
            own = [next(steps) for _ in part]
            step = tensor_of(own, parameter.shape) if own else momentum
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(step, alpha=-group["lr"])

    def _steps(self, matrices: list[torch.Tensor], group: Group) -> list[torch.Tensor]:
        """(tr S) U V^T for every matrix."""
        sign = partial(polar, polish=group["polish"], matmul_dtype=group["matmul_dtype"])
        signs = apply_by_shape(sign, matrices)
        traces = [(m * x).sum() for m, x in zip(matrices, signs, strict=True)]
        if group["scope"] == "network" and traces:
            traces = [torch.stack(traces).sum()] * len(traces)
        return [x * trace for x, trace in zip(signs, traces, strict=True)]

    def _momentum(self, parameter: torch.Tensor, group: Group) -> torch.Tensor:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: torch.Tensor = state["momentum"]
        return momentum.lerp_(gradient, 1 - group["momentum"])


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Spectral descent on all parameters, with its schedule."""
    names = ("weight_decay", "momentum", "scope", "polish", "matmul_dtype")
    optimizer = SpectralDescent(
        problem.parameters.values(),
        [spec.splits for spec in problem.specs.values()],
        lr=hyperparameters["learning_rate"],
        **{name: hyperparameters[name] for name in names},
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
