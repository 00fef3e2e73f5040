"""Clipping, parametrisation and averages around any torch optimizer."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from harness.core.errors import HarnessError
from harness.frameworks.torch.problem import TorchProblem
from harness.submission.interface import Hyperparameters, Problem
from harness.submission.parametrisation import Scaling, scalings

Tensors = dict[str, Tensor]


class TorchArithmetic:
    """Implements `harness.submission.averages.Arithmetic` with few kernel launches."""

    def copy(self, values: Mapping[str, Tensor]) -> Tensors:
        """Copies that later steps do not change."""
        return {name: value.detach().clone() for name, value in values.items()}

    @torch.no_grad()
    def towards(self, average: Tensors, values: Mapping[str, Tensor], weight: float) -> Tensors:
        """average + weight (values - average), in place."""
        torch._foreach_lerp_(list(average.values()), [values[n] for n in average], weight)
        return average

    @torch.no_grad()
    def shift(
        self, average: Tensors, values: Mapping[str, Tensor], start: Tensors, weight: float
    ) -> Tensors:
        """average + weight (values - start), new tensors."""
        displacement = torch._foreach_sub([values[n] for n in average], [start[n] for n in average])
        results = torch._foreach_add(list(average.values()), displacement, alpha=weight)
        return dict(zip(average, results, strict=True))


def scale_start(problem: Problem[Tensor], by_name: Mapping[str, Scaling]) -> None:
    """Multiply the initial parameters by a parametrisation's factors."""
    with torch.no_grad():
        for name, scaling in by_name.items():
            problem.parameters[name].mul_(scaling.initial)


def prepare_class(problem: Problem[Tensor], hyperparameters: Hyperparameters) -> None:
    """Scale the initial parameters for an author's class as the hyperparameters ask."""
    scale_start(problem, scalings(problem.specs, hyperparameters))


class OptimizerWrapper:
    """Adds clipping and parametrisation between the problem and a torch optimizer.

    Args:
        problem: the problem, whose initial parameters W are scaled by the parametrisation.
        hyperparameters: `clip`, the largest global norm of dL/dW (0 for none), and
            `parametrisation`.
    """

    def __init__(self, problem: TorchProblem, hyperparameters: Hyperparameters) -> None:
        self._live = problem.parameters
        self._clip = float(hyperparameters.get("clip", 0.0))
        if self._clip < 0.0:
            raise HarnessError(f"clip is {self._clip}", "allowed: 0 (off) or a largest norm")
        by_name = scalings(problem.specs, hyperparameters)
        scale_start(problem, by_name)
        self._multipliers = {n: s.multiplier for n, s in by_name.items() if s.multiplier != 1.0}
        self._inner = {
            name: nn.Parameter(self._live[name].detach() / multiplier)
            for name, multiplier in self._multipliers.items()
        }
        self.view = self._view(problem)
        """The problem passed to `build`, whose parameters are the trained coordinates w."""

    def _view(self, problem: TorchProblem) -> TorchProblem:
        if not self._inner:
            return problem
        view = copy.copy(problem)
        view.parameters = {**problem.parameters, **self._inner}
        return view

    @torch.no_grad()
    def publish(self) -> None:
        """Write A w to the live parameters; nothing to do if w and W are the same tensors."""
        for name, inner in self._inner.items():
            torch.mul(inner, self._multipliers[name], out=self._live[name].detach())

    def take_gradients(self) -> None:
        """After a backward pass: clip the gradient, and set the gradient of w to A dL/dW."""
        if self._clip > 0.0:
            nn.utils.clip_grad_norm_(self._live.values(), self._clip)
        for name, inner in self._inner.items():
            gradient, self._live[name].grad = self._live[name].grad, None
            inner.grad = None if gradient is None else gradient.mul_(self._multipliers[name])

    def state_dict(self) -> dict[str, Tensor]:
        """The parameters trained in other coordinates."""
        return dict(self._inner)

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore them."""
        for name, inner in self._inner.items():
            inner.copy_(state[name])
        self.publish()
