"""Submissions that are classes, in both frameworks on one perceptron and one order of examples."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from tests.frameworks.kit import Kit, plain

from .given_problem import Point, Values, default_point

STEPS = 20
FILES = {"torch": "submission", "jax": "submission_jax"}


class Likeliest:
    """A loss that draws no targets: the likeliest ones stand for a sample, in both frameworks."""

    def __init__(self, loss: Any) -> None:
        self.value, self.hessian_product = loss.value, loss.hessian_product

    def sample_targets(self, logits: Any, random: object) -> Any:
        del random
        return logits.argmax(-1)


def class_of(framework: str, name: str) -> Any:
    """A submission's class."""
    return importlib.import_module(f"submissions.{name}.{FILES[framework]}").Submission


def train(kit: Kit, submission: Any, point: Point, steps: int = STEPS) -> list[Values]:
    """What is to be evaluated before the first step and after each; targets are the likeliest."""
    kit.problem.loss = Likeliest(kit.problem.loss)
    submission.setup(kit.problem, point)
    stream, seen = kit.stream(), [copy_parameters(kit, submission)]
    for _ in range(steps):
        submission.step(stream)
        seen.append(copy_parameters(kit, submission))
    return seen


def copy_parameters(kit: Kit, submission: Any) -> Values:
    """A copy of the parameters to be evaluated."""
    has_own = hasattr(submission, "eval_parameters")
    values = submission.eval_parameters() if has_own else kit.problem.parameters
    return {name: plain(value).copy() for name, value in values.items()}


def ways(name: str, changes: Point) -> tuple[list[Values], list[Values]]:
    """What JAX evaluates step by step, and what PyTorch does."""
    point = default_point(name, **changes)
    in_jax = train(Kit("jax"), class_of("jax", name)(), point)
    return in_jax, train(Kit("torch"), class_of("torch", name)(), point)


def furthest(left: Values, right: Values) -> float:
    """The largest difference of any entry."""
    return max(float(np.abs(left[name] - right[name]).max()) for name in right)
