"""Spaces: every one parses, and both of its corners and its default make a step."""

from __future__ import annotations

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness.providers.registry import submission_folders, suite
from harness.submission.space import read_space
from submissions.common import schedules
from tests.frameworks.kit import Kit, plain
from tests.tiers import nightly_but

from .given_problem import (
    Point,
    draw,
    gradients,
    optax_transformation,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

FOLDERS = submission_folders()
SPACES = {name: read_space(folder / "space.toml") for name, folder in FOLDERS.items()}


def points(name: str) -> list[Point]:
    """The default, the lower corner, the upper corner."""
    space = SPACES[name]
    corners = [{n: d.value_at(x) for n, d in space.space.items()} for x in (0.0, 0.999999)]
    return [dict(space.default), *({**space.default, **corner} for corner in corners)]


@pytest.mark.parametrize("name", SPACES)
def test_declared_frameworks_are_the_files_that_exist(name: str) -> None:
    files = {"torch": "submission.py", "jax": "submission_jax.py"}
    has = {framework for framework, file in files.items() if (FOLDERS[name] / file).exists()}
    assert has == set(SPACES[name].frameworks)


def test_what_is_refused_exists() -> None:
    for place in (place for space in SPACES.values() for place in space.refused):
        suite_name, workload_name = place.split("/")
        assert workload_name in suite(suite_name).workloads


def has_build(name: str, module: str = "submission") -> bool:
    return hasattr(importlib.import_module(f"submissions.{name}.{module}"), "build")


JAX = [name for name, space in SPACES.items() if "jax" in space.frameworks]
TORCH = [name for name, space in SPACES.items() if "torch" in space.frameworks]


CLASSES = [("torch", name) for name in TORCH if not has_build(name)]
COMPILED = [("jax", name) for name in JAX if not has_build(name, "submission_jax")]
"""Each point of each compiles a step anew, which takes seconds."""


@pytest.mark.parametrize(("framework", "name"), nightly_but(CLASSES, CLASSES + COMPILED))
def test_a_class_steps_at_default_and_corners(framework: str, name: str) -> None:
    for point in points(name):
        kit = Kit(framework)
        instance, stream = kit.submission(FOLDERS[name], **point), kit.stream()
        assert all(float(instance.step(stream)) > 0.0 for _ in range(2))
        assert all(np.isfinite(plain(value)).all() for value in instance.eval_parameters().values())


@pytest.mark.parametrize("name", TORCH)
def test_a_model_that_has_diverged_is_stepped_and_not_an_error(name: str) -> None:
    kit = Kit("torch")
    with torch.no_grad():
        for value in kit.problem.parameters.values():
            value.fill_(torch.nan)
    instance, stream = kit.submission(FOLDERS[name], **SPACES[name].default), kit.stream()
    assert all(np.isnan(float(instance.step(stream))) for _ in range(2))


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for _, name in COMPILED])
def test_a_class_in_jax_that_has_diverged_is_stepped_and_not_an_error(name: str) -> None:
    kit = Kit("jax")
    kit.problem.parameters = {n: x * jnp.nan for n, x in kit.problem.parameters.items()}
    instance, stream = kit.submission(FOLDERS[name], **SPACES[name].default), kit.stream()
    assert all(np.isnan(float(instance.step(stream))) for _ in range(2))


@pytest.mark.parametrize("name", [name for name in TORCH if has_build(name)])
def test_a_torch_step_at_default_and_corners(name: str) -> None:
    for point in points(name):
        problem = torch_problem()
        after = torch_steps(torch_optimizer(name, problem, **point), problem, range(2))
        before = draw(0)
        assert all(np.isfinite(value).all() for value in after.values())
        assert all((after[n] != before[n]).any() for n in before)


# Each point compiles a step anew, which takes seconds; that steps near the default are torch's is
# seen at every commit, in each method's own test.
@pytest.mark.nightly
@pytest.mark.parametrize("place", ["default", "low", "high"])
@pytest.mark.parametrize("name", [n for n in JAX if has_build(n, "submission_jax")])
def test_a_jax_step_at_default_and_corners(name: str, place: str) -> None:
    # A first gradient may move nothing (SOAP's gives the first bases).
    point = dict(zip(("default", "low", "high"), points(name), strict=True))[place]
    transformation = optax_transformation(name, **point)
    updates: Any = {}
    parameters: Any = {n: jnp.asarray(v) for n, v in draw(0).items()}
    state, update = transformation.init(parameters), jax.jit(transformation.update)
    for step in range(2):
        updates, state = update(gradients(step), state, parameters)
    assert all(bool(jnp.isfinite(u).all() & (u != 0).any()) for u in updates.values())


@pytest.mark.parametrize("name", [n for n, s in SPACES.items() if "schedule" in s.default])
def test_the_default_schedule_ends_low_or_is_constant(name: str) -> None:
    schedule = schedules.from_hyperparameters(SPACES[name].default)
    assert schedule(1.0) <= 0.1 or SPACES[name].default["schedule"] == "constant"
    assert 0.0 < float(SPACES[name].default["horizon"]) <= 1.0
