"""A torch optimizer class given by its import path: the arguments of its constructor.

Hyperparameters are matched to arguments by name (`harness.submission.entry.arguments`). Other
required arguments are filled in where their value is known: the model, the number of steps or
examples, and a wrapped optimizer, whose class the hyperparameters name.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from harness.core.errors import HarnessError
from harness.frameworks.torch.problem import TorchProblem
from harness.submission.entry import Build, arguments, import_object, is_import_path
from harness.submission.interface import Hyperparameters

BASE_CLASS = "base_optimizer"
BASE_INSTANCES = ("optimizer", "wrapped_optimizer")
"""Argument names for a wrapped optimizer: some classes take its class, others an instance."""
ArgumentOf = Callable[[TorchProblem], object]
VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _steps(problem: TorchProblem) -> object:
    return problem.step_hint


def _examples(problem: TorchProblem) -> object:
    return problem.train_examples


def _batch_size(problem: TorchProblem) -> object:
    return problem.batch_size


def _parameters(problem: TorchProblem) -> list[Tensor]:
    return list(problem.parameters.values())


def _model(problem: TorchProblem) -> nn.Module:
    """The live module, provided that its parameters are the trained ones."""
    live = dict(problem.model.named_parameters())
    if any(value is not live[name] for name, value in problem.parameters.items()):
        raise HarnessError(
            "this class takes the model, and the point's parametrisation trains other parameters",
            "set parametrisation = standard, or write build(problem, hyperparameters)",
        )
    return problem.model


ARGUMENTS: Mapping[str, ArgumentOf] = {
    "params": _parameters,
    "model": _model,
    "batch_size": _batch_size,
    **dict.fromkeys(("num_data", "num_examples", "dataset_size", "train_set_size"), _examples),
    **dict.fromkeys(
        ("num_iterations", "num_steps", "num_training_steps", "total_iterations", "total_steps"),
        _steps,
    ),
}
"""Values for required arguments, from the problem, by argument name."""


def builder_of(factory: object, _: Hyperparameters) -> Build | None:
    """A `build` function for an optimizer class; None for any other object."""
    if not (isinstance(factory, type) and issubclass(factory, Optimizer)):
        return None
    kind = factory

    def build(problem: TorchProblem, point: Hyperparameters) -> Optimizer:
        optimizer = _make(kind, problem, point)
        _check_rate(optimizer, float(point["learning_rate"]))
        return optimizer

    return build


def _make(kind: type[Optimizer], problem: TorchProblem, point: Hyperparameters) -> Optimizer:
    """An optimizer of the class with these hyperparameters."""
    parameters = inspect.signature(kind).parameters
    required_names = [
        n for n, p in parameters.items() if p.default is p.empty and p.kind not in VARIABLE
    ]
    first = next(iter(parameters), "")
    base_argument = next((name for name in BASE_INSTANCES if name in required_names), "")
    if base_argument:
        keywords = _around_another(kind, base_argument, problem, point)
    else:
        keywords = arguments(kind, point, "lr")
    if BASE_CLASS in required_names:
        keywords[BASE_CLASS] = _base_of(kind, BASE_CLASS, point)
    if _has_fused(kind, problem.device):
        keywords["fused"] = True
    is_named = first in (*ARGUMENTS, BASE_CLASS, *BASE_INSTANCES)
    for name in required_names:
        if name in ARGUMENTS and name not in keywords:
            keywords[name] = ARGUMENTS[name](problem)
    construct: Callable[..., Optimizer] = kind
    return construct(*([] if is_named else [_parameters(problem)]), **keywords)


def _around_another(
    kind: type[Optimizer], argument: str, problem: TorchProblem, point: Hyperparameters
) -> dict[str, object]:
    """The arguments of a class that wraps an optimizer: the instance, and those it takes by name.

    All other hyperparameters, above all the learning rate, go to the wrapped optimizer.
    """
    base, parameters = _base_of(kind, argument, point), inspect.signature(kind).parameters
    own = [name for name in point if name in parameters and name != argument]
    rest = {name: point[name] for name in point if name not in (*own, argument)}
    keywords: dict[str, object] = {name: point[name] for name in own}
    return {argument: _make(base, problem, rest), **keywords}


def _base_of(kind: type[Optimizer], argument: str, point: Hyperparameters) -> type[Optimizer]:
    """The wrapped optimizer's class, which the hyperparameters name.

    It must be from torch or from the wrapping class's package, whose code the record hashes.

    Raises:
        HarnessError: no class is named, or one from another package, or not an optimizer class.
    """
    name, packages = str(point.get(argument, "")), ("torch", kind.__module__.partition(".")[0])
    hint = f"name a class of {' or '.join(packages)}, for example: --set {argument}=torch.optim:SGD"
    if not name:
        raise HarnessError(f"{kind.__name__} wraps another optimizer, its {argument}", hint)
    if not is_import_path(name) or name.partition(":")[0].partition(".")[0] not in packages:
        raise HarnessError(f"{argument} is {name!r}, whose code no record would contain", hint)
    base = import_object(name)
    if not (isinstance(base, type) and issubclass(base, Optimizer)):
        raise HarnessError(f"{argument} is {name!r}, which is not an optimizer class", hint)
    return base


def _check_rate(optimizer: Optimizer, rate: float) -> None:
    """Refuse an optimizer whose learning rate is not the one that it was given."""
    for group in optimizer.param_groups:
        if not math.isclose(float(group.get("lr", rate)), rate, rel_tol=1e-6):
            raise HarnessError(
                f"{type(optimizer).__name__} was given the learning rate {rate:g} and trains at "
                f"{float(group['lr']):g}",
                "write build(problem, hyperparameters) with a space.toml of what it does take",
            )


def _has_fused(kind: type[Optimizer], device: torch.device) -> bool:
    """Whether torch has a fused kernel for the whole update; Adagrad's runs on the CPU only."""
    ours = kind.__module__.startswith("torch.optim")
    takes = "fused" in inspect.signature(kind).parameters
    return ours and takes and (device.type == "cpu" or kind is not torch.optim.Adagrad)
