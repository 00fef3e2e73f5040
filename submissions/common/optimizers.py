"""Shared helpers for torch optimizers: parameters by role, base classes, combined optimizers."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ParamSpec, TypeAlias, TypeVar

import torch
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.optimizer import ParamsT, StateDict

from harness.core.errors import HarnessError
from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.layouts import is_dense, with_matching_gradients
from workloads.parameters import Role

TorchProblem = Problem[torch.Tensor]
Group: TypeAlias = dict[str, Any]
"""A parameter group: `params`, and the settings and numbers that they share."""
State: TypeAlias = dict[str, Any]
"""What is kept of a parameter, a layer or a whole method: tensors, numbers, lists of them."""
Closure: TypeAlias = Callable[[], torch.Tensor | float]
"""Evaluates the loss and its gradients, and returns the loss."""
P = ParamSpec("P")
T = TypeVar("T")


def by_role(problem: TorchProblem, roles: Collection[Role]) -> tuple[list[str], list[str]]:
    """Split the parameter names, in order, into those with one of the roles and all others."""
    members = [name for name, spec in problem.specs.items() if spec.role in roles]
    return members, [name for name in problem.specs if name not in members]


VECTORS = (Role.NORM, Role.BIAS, Role.VECTOR)
"""What methods for weights leave to a plain rule."""


def scaled_groups(problem: TorchProblem) -> list[Group]:
    """Groups for ratios of norms by layer: matrices and kernels, then vectors if there are any,
    which are neither scaled nor decayed.
    """
    vectors, weights = by_role(problem, VECTORS)
    groups: list[Group] = [{"params": [problem.parameters[name] for name in weights]}]
    if vectors:
        left_out = [problem.parameters[name] for name in vectors]
        groups.append({"params": left_out, "is_scaled": False, "weight_decay": 0.0})
    return groups


def is_fused(parameters: Collection[torch.Tensor]) -> bool:
    """Whether torch's fused steps are supported and correct for all parameters.

    On a CPU, fused SGD in torch 2.13 updates only the tail of a bfloat16 tensor, and every fused
    step takes parameters, gradients and state to have one layout; see `layouts`.
    """
    return all(
        value.device.type != "cpu" or (value.dtype.itemsize >= 4 and is_dense(value))
        for value in parameters
    )


def adam_on_all(
    kind: type[Adam], problem: TorchProblem, hyperparameters: Hyperparameters
) -> tuple[Optimizer, Schedule]:
    """Build Adam or a relative for all parameters, fused where supported, with its schedule.

    Args:
        kind: the class: `Adam`, `AdamW` or one with the same constructor.
        problem: the problem whose parameters to optimise.
        hyperparameters: `learning_rate`, `beta1`, `beta2`, `epsilon`, `weight_decay` and those of
            the schedule.
    """
    parameters = list(problem.parameters.values())
    optimizer = kind(parameters, **adaptive_settings(hyperparameters), fused=is_fused(parameters))
    return with_matching_gradients(optimizer), schedules.from_hyperparameters(hyperparameters)


def adamw(parameters: list[torch.Tensor], hyperparameters: Hyperparameters, rate: str) -> AdamW:
    """AdamW for the parameters that a matrix method does not handle.

    Args:
        parameters: the parameters to optimise.
        hyperparameters: `adam_beta1`, `adam_beta2`, `epsilon`, `weight_decay` and `rate`'s value.
        rate: name of the learning-rate hyperparameter.
    """
    optimizer = AdamW(
        parameters,
        lr=hyperparameters[rate],
        betas=(hyperparameters["adam_beta1"], hyperparameters["adam_beta2"]),
        eps=hyperparameters["epsilon"],
        weight_decay=hyperparameters["weight_decay"],
        fused=is_fused(parameters),
    )
    return with_matching_gradients(optimizer)


def adamw_at(
    parameters: Mapping[str, torch.Tensor],
    rates: Mapping[str, float],
    hyperparameters: Hyperparameters,
    rate: str,
) -> AdamW:
    """`adamw` with a learning-rate multiplier r for each parameter, for a parametrisation.

    Decay stays eta lambda for every r, and epsilon becomes epsilon / r to match the gradient's
    scale, so the step equals that of AdamW on w with W = r w. Each group stores its unscheduled
    learning rate as `whole_rate`.
    """
    groups: dict[float, list[torch.Tensor]] = {}
    for name, value in parameters.items():
        groups.setdefault(rates.get(name, 1.0), []).append(value)
    optimizer = adamw(list(parameters.values()), hyperparameters, rate)
    whole = optimizer.param_groups.pop()
    for r, values in groups.items():
        lr, decay, epsilon = (whole[key] for key in ("lr", "weight_decay", "eps"))
        scaled_settings = {"lr": r * lr, "weight_decay": decay / r, "eps": epsilon / r}
        optimizer.add_param_group(
            {**whole, **scaled_settings, "params": values, "whole_rate": r * lr}
        )
    return optimizer


def without_hooks(step: Callable[P, T]) -> Callable[P, T]:
    """The step of a torch optimizer class without its hooks, for a subclass's step to call.

    torch wraps the step of every class that has been instantiated so that it runs the hooks; called
    as `super().step()` from a step that torch has wrapped too, they would run twice.
    """
    inner: Callable[P, T] = inspect.unwrap(step, stop=lambda one: not hasattr(one, "hooked"))
    return inner


class GroupwiseOptimizer(Optimizer, ABC):
    """An optimizer that updates each parameter group in turn, with autograd disabled."""

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        """Evaluate the closure, if any, update every group and return the closure's loss."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.numel() == 0:
                    parameter.grad = None  # nothing to update, and no norm or basis of it exists
            self.update(group)
        return loss

    @abstractmethod
    def update(self, group: Group) -> None:
        """Update those parameters of one group that have a gradient."""

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore `state_dict`, keeping its dtypes; torch would cast to the parameters' dtype."""
        super().load_state_dict(state_dict)
        for group, saved_group in zip(self.param_groups, state_dict["param_groups"], strict=True):
            for parameter, key in zip(group["params"], saved_group["params"], strict=True):
                if key in state_dict["state"]:
                    self.state[parameter] = _copy_to(state_dict["state"][key], parameter.device)


def _copy_to(state: object, device: torch.device) -> object:
    if isinstance(state, torch.Tensor):
        return state.detach().to(device, copy=True)
    if isinstance(state, dict):
        return {key: _copy_to(value, device) for key, value in state.items()}
    if isinstance(state, list):
        return [_copy_to(value, device) for value in state]
    return state


def list_parameters(parameters: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    """The parameters of a group, refused as by torch if there are none.

    Raises:
        ValueError: the list is empty.
    """
    parameters = list(parameters)
    if not parameters:
        raise ValueError("optimizer got an empty parameter list")
    return parameters


class MomentumMethod(GroupwiseOptimizer):
    """Base class for methods with a learning rate, a momentum and a weight decay.

    Args:
        parameters: the parameters to optimise.
        lr: learning rate.
        momentum: momentum coefficient between 0 and 1.
        weight_decay: weight decay coefficient, coupled or decoupled depending on the method.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})


def with_momentum(
    kind: Callable[..., Optimizer], problem: TorchProblem, hyperparameters: Hyperparameters
) -> tuple[Optimizer, Schedule]:
    """Build a class with `MomentumMethod`'s constructor for all parameters, with its schedule."""
    optimizer = kind(
        problem.parameters.values(),
        lr=hyperparameters["learning_rate"],
        momentum=hyperparameters["momentum"],
        weight_decay=hyperparameters["weight_decay"],
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)


class AdaptiveMethod(GroupwiseOptimizer):
    """Base class for relatives of AdamW, with Adam's four settings.

    Args:
        parameters: the parameters to optimise, or groups of them.
        lr: learning rate (eta).
        betas: decay rates of the first and second moments (beta1, beta2).
        eps: term added to the denominator (epsilon).
        weight_decay: decoupled weight decay coefficient (lambda).
        settings: further values of every group.
    """

    def __init__(
        self,
        parameters: ParamsT,
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        **settings: object,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(parameters, defaults | settings)


def adaptive_settings(hyperparameters: Hyperparameters, *names: str) -> dict[str, Any]:
    """The arguments of an `AdaptiveMethod`, those under the same `names` as in the point included.

    Args:
        hyperparameters: `learning_rate`, `beta1`, `beta2`, `epsilon`, `weight_decay` and `names`.
        names: of the method's own settings.
    """
    return {
        "lr": hyperparameters["learning_rate"],
        "betas": (hyperparameters["beta1"], hyperparameters["beta2"]),
        "eps": hyperparameters["epsilon"],
        "weight_decay": hyperparameters["weight_decay"],
        **{name: hyperparameters[name] for name in names},
    }


class CombinedOptimizer(Optimizer):
    """Several optimizers combined into one, each with its own parameters and groups.

    The groups are shared with the parts, so a learning rate written into one takes effect there.
    """

    def __init__(self, *parts: Optimizer) -> None:
        self.parts: tuple[Optimizer, ...] = ()
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.parts = parts

    def add_param_group(self, param_group: Group) -> None:
        """Refuse groups after construction: which part is to train them cannot be known."""
        if self.parts:
            names = " and ".join(type(part).__name__ for part in self.parts)
            raise HarnessError(
                f"a parameter group was added to a combination of {names}",
                "build a new optimizer with all parameters, whose roles decide who trains them",
            )
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        """Evaluate the closure, if any, step every part and return the closure's loss."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> StateDict:
        """The states of the parts, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore the state returned by `state_dict`."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]
