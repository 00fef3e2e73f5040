"""Optimizers that evaluate other parameters than they train, swapped in by `eval` and `train`."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch.optim.optimizer import ParamsT, StateDict

from harness.core.errors import HarnessError
from submissions.common.optimizers import Closure, Group, GroupwiseOptimizer


class EvaluatesAverage(GroupwiseOptimizer):
    """Base class: between `eval` and `train` the parameters hold an average, and no step is taken.

    The trained values are part of the state in the meantime.
    """

    def __init__(self, parameters: ParamsT, defaults: Group) -> None:
        self._trained_values: dict[torch.Tensor, torch.Tensor] = {}
        super().__init__(parameters, defaults)

    @abstractmethod
    def average(self, parameter: torch.Tensor, group: Group) -> torch.Tensor | None:
        """The values to evaluate, as a new tensor; None for a parameter without steps."""

    def step(self, closure: Closure | None = None) -> Any:
        """Take a step.

        Raises:
            HarnessError: the parameters hold the average, to which a gradient does not belong.
        """
        if self._trained_values:
            raise HarnessError(
                f"{type(self).__name__}.step between eval() and train()",
                "the parameters hold the average; call train() before computing gradients",
            )
        return super().step(closure)

    @torch.no_grad()
    def eval(self) -> None:
        """Replace the parameters by their average until `train` is called."""
        for group in self.param_groups:
            for parameter in group["params"]:
                average = self.average(parameter, group)
                if parameter not in self._trained_values and average is not None:
                    self._trained_values[parameter] = parameter.clone()
                    parameter.copy_(average)

    @torch.no_grad()
    def train(self) -> None:
        """Restore the trained parameters."""
        for parameter, value in self._trained_values.items():
            parameter.copy_(value)
        self._trained_values.clear()

    def state_dict(self) -> StateDict:
        """The optimizer's state, and between `eval` and `train` the trained parameters."""
        trained_values = {
            place: self._trained_values[parameter]
            for place, parameter in enumerate(self._parameters())
            if parameter in self._trained_values
        }
        return {**super().state_dict(), "trained_values": trained_values}

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore the state returned by `state_dict`, and the mode in which it was taken."""
        super().load_state_dict(state_dict)
        parameters = self._parameters()
        self._trained_values = {
            parameters[place]: value.detach().to(parameters[place], copy=True)
            for place, value in state_dict["trained_values"].items()
        }

    def _parameters(self) -> list[torch.Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]
