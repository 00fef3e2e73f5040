"""A torch optimizer class by import path: what its constructor is given.

The point's values go to the arguments that take them (`harness.submission.entry.arguments`). What a
class requires beside its parameters is filled in where the problem knows it: the model, how many
steps or examples there are, and another optimizer that it wraps, which the point names.
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
"""What classes call the optimizer that they wrap: some make it of its class, some are given it."""
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
    """The live module, if its parameters are those that are trained."""
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
"""What the problem can say of an argument that a class requires."""


def builder_of(factory: object, _: Hyperparameters) -> Build | None:
    """What builds an optimizer of the class, if it is one."""
    if not (isinstance(factory, type) and issubclass(factory, Optimizer)):
        return None
    kind = factory

    def build(problem: TorchProblem, point: Hyperparameters) -> Optimizer:
        optimizer = _make(kind, problem, point)
        _check_rate(optimizer, float(point["learning_rate"]))
        return optimizer

    return build


def _make(kind: type[Optimizer], problem: TorchProblem, point: Hyperparameters) -> Optimizer:
    """An optimizer of the class at a point."""
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
    """The arguments of a class that is given another optimizer: that, and what it takes by name.

    Everything else of the point, the learning rate above all, is the other one's.
    """
    base, parameters = _base_of(kind, argument, point), inspect.signature(kind).parameters
    own = [name for name in point if name in parameters and name != argument]
    rest = {name: point[name] for name in point if name not in (*own, argument)}
    keywords: dict[str, object] = {name: point[name] for name in own}
    return {argument: _make(base, problem, rest), **keywords}


def _base_of(kind: type[Optimizer], argument: str, point: Hyperparameters) -> type[Optimizer]:
    """The class that a point names for one that wraps it.

    Its code must be in the record's hashes: of torch, or of the package of the class around it.

    Raises:
        HarnessError: the point names none, or one from elsewhere, or no optimizer class.
    """
    name, packages = str(point.get(argument, "")), ("torch", kind.__module__.partition(".")[0])
    hint = f"name a class of {' or '.join(packages)}, for example: --set {argument}=torch.optim:SGD"
    if not name:
        raise HarnessError(f"{kind.__name__} wraps another optimizer, its {argument}", hint)
    if not is_import_path(name) or name.partition(":")[0].partition(".")[0] not in packages:
        raise HarnessError(f"{argument} is {name!r}, which no record would hold the code of", hint)
    base = import_object(name)
    if not (isinstance(base, type) and issubclass(base, Optimizer)):
        raise HarnessError(f"{argument} is {name!r}, which is no optimizer class", hint)
    return base


def _check_rate(optimizer: Optimizer, rate: float) -> None:
    """What a class makes of its arguments is its own affair, but not the rate that is searched."""
    for group in optimizer.param_groups:
        if not math.isclose(float(group.get("lr", rate)), rate, rel_tol=1e-6):
            raise HarnessError(
                f"{type(optimizer).__name__} was given the learning rate {rate:g} and trains at "
                f"{float(group['lr']):g}",
                "write build(problem, hyperparameters) with a space.toml of what it does take",
            )


def _has_fused(kind: type[Optimizer], device: torch.device) -> bool:
    """Whether torch has one kernel for the whole update; Adagrad's is for the CPU only."""
    ours = kind.__module__.startswith("torch.optim")
    takes = "fused" in inspect.signature(kind).parameters
    return ours and takes and (device.type == "cpu" or kind is not torch.optim.Adagrad)
