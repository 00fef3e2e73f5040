"""A problem of given shapes and gradients: what an optimizer alone is tested on."""

from __future__ import annotations

import importlib
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax
import torch

import submissions
from harness.providers.registry import submission_folders
from harness.submission.interface import Built
from harness.submission.ranks import OneRank
from submissions.common.newton_schulz import JORDAN
from workloads.parameters import Init, ParameterSpec, Role

Values = dict[str, npt.NDArray[np.float32]]
Array = npt.NDArray[np.float64]
"""What a textbook's formulas are about."""
Point = dict[str, Any]
"""Values of a point, or arguments of a class, by name."""
SHAPES: dict[str, tuple[tuple[int, ...], Role]] = {
    "square": ((24, 24), Role.HIDDEN_MATRIX),
    "square_2": ((24, 24), Role.HIDDEN_MATRIX),
    "tall": ((40, 12), Role.HIDDEN_MATRIX),
    "kernel": ((16, 4, 3, 3), Role.CONVOLUTION),
    "output": ((10, 24), Role.OUTPUT),
    "bias": ((24,), Role.BIAS),
}
STEPS = 20
FACTORS = [min((step + 1) / 4, 1.0 - step / 40) for step in range(STEPS)]
"""A schedule's factors, with a warmup and a decay."""
NAMES = [
    name
    for name in submission_folders()
    if hasattr(importlib.import_module(f"submissions.{name}.submission"), "build")
]
"""The submissions that `build` an optimizer in PyTorch."""


@dataclass(frozen=True)
class BareProblem:
    """Parameters and specs, the part of a problem that `build` reads."""

    parameters: dict[str, Any]
    specs: Mapping[str, ParameterSpec]
    ranks: Any = field(default_factory=OneRank)


def specs() -> dict[str, ParameterSpec]:
    by_name = {}
    for name, (shape, role) in SHAPES.items():
        fan_in = math.prod(shape[1:])
        by_name[name] = ParameterSpec(name, shape, role, fan_in, shape[0], Init("normal", 1.0))
    return by_name


def draw(seed: int, scale: float = 1.0) -> Values:
    """Random values of all parameters."""
    generator = np.random.default_rng(seed)
    return {n: generator.normal(0, scale, s).astype(np.float32) for n, (s, _) in SHAPES.items()}


def gradients(step: int) -> Values:
    """The gradients of one step: a part common to all steps, and noise."""
    common, noise = draw(1, 0.02), draw(100 + step, 0.02)
    return {name: common[name] + noise[name] for name in SHAPES}


def default_point(name: str, **changes: object) -> Point:
    """A submission's default point, some values replaced."""
    file = Path(submissions.__file__).parent / name / "space.toml"
    return {**tomllib.loads(file.read_text())["default"], **changes}


def torch_problem(dtype: torch.dtype = torch.float32) -> BareProblem:
    values = {
        n: torch.nn.Parameter(torch.from_numpy(v.copy()).to(dtype)) for n, v in draw(0).items()
    }
    return BareProblem(values, specs())


def torch_optimizer(name: str, problem: BareProblem, **changes: object) -> torch.optim.Optimizer:
    """A submission's optimizer at its default point."""
    module = importlib.import_module(f"submissions.{name}.submission")
    optimizer, _ = module.build(problem, default_point(name, **changes))
    assert isinstance(optimizer, torch.optim.Optimizer)
    return optimizer


def torch_steps(
    optimizer: torch.optim.Optimizer,
    problem: BareProblem,
    steps: range = range(STEPS),
    scale: float = 1.0,
) -> Values:
    """Make steps with the given gradients, times a scale; the parameters after them."""
    for step in steps:
        for name, gradient in gradients(step).items():
            problem.parameters[name].grad = torch.from_numpy(scale * gradient).to(
                problem.parameters[name].dtype
            )
        optimizer.step()
    return {n: p.detach().numpy().copy() for n, p in problem.parameters.items()}


def optax_transformation(name: str, **changes: object) -> optax.GradientTransformation:
    """A submission's transformation at its default point."""
    module = importlib.import_module(f"submissions.{name}.submission_jax")
    problem = BareProblem({n: jnp.asarray(v) for n, v in draw(0).items()}, specs())
    built = module.build(problem, default_point(name, **changes))
    transformation = built.optimizer if isinstance(built, Built) else built[0]
    assert isinstance(transformation, optax.GradientTransformation)
    return transformation


def optax_steps(transformation: optax.GradientTransformation, scale: float = 1.0) -> Values:
    """Make all steps with the given gradients, times a scale; the parameters after them."""
    parameters: Any = {n: jnp.asarray(v) for n, v in draw(0).items()}
    state = transformation.init(parameters)
    update = jax.jit(transformation.update)
    for step in range(STEPS):
        scaled_gradients = {name: scale * gradient for name, gradient in gradients(step).items()}
        updates, state = update(scaled_gradients, state, parameters)
        parameters = optax.apply_updates(parameters, updates)
    return {n: np.asarray(v) for n, v in parameters.items()}


def scheduled_torch_steps(name: str, **changes: object) -> Values:
    """Make all steps at the default point's rates times `FACTORS`; the parameters after them."""
    problem = torch_problem()
    optimizer = torch_optimizer(name, problem, **changes)
    rates = [group["lr"] for group in optimizer.param_groups]
    for step, factor in enumerate(FACTORS):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        torch_steps(optimizer, problem, range(step, step + 1))
    return {n: p.detach().numpy().copy() for n, p in problem.parameters.items()}


def scheduled_optax_steps(name: str, **changes: object) -> Values:
    """The same by a transformation that takes the factor."""
    transformation: Any = optax_transformation(name, **changes)
    parameters: Any = {n: jnp.asarray(v) for n, v in draw(0).items()}
    state, update = transformation.init(parameters), jax.jit(transformation.update)
    for step, factor in enumerate(FACTORS):
        updates, state = update(gradients(step), state, parameters, factor=jnp.asarray(factor))
        parameters = optax.apply_updates(parameters, updates)
    return {n: np.asarray(v) for n, v in parameters.items()}


def jordans(x: Array, floor: float = 1e-7) -> Array:
    """Five of Jordan's Newton-Schulz iterations in float64, from the Frobenius norm."""
    x = x / (np.linalg.norm(x) + floor)
    a, b, c = JORDAN
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def textbook_steps(update: Callable[[str, int, Array, Array], Array]) -> dict[str, Array]:
    """Make all steps in float64 by `update(name, t, w, g) -> w`, t from 1."""
    values: dict[str, Array] = {n: v.astype(np.float64) for n, v in draw(0).items()}
    for step in range(STEPS):
        for name, gradient in gradients(step).items():
            values[name] = update(name, step + 1, values[name], gradient.astype(np.float64))
    return values


def largest_error(left: Mapping[str, Any], right: Mapping[str, Any]) -> float:
    """The largest difference, over the names in both."""
    return max(float(np.abs(left[n] - right[n]).max()) for n in left if n in right)
