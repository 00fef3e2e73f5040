"""Optional diagnostics of every evaluated snapshot, computed off the clock.

training    `train_loss`, `gradient_norm` and `gradient_norm_l1` (Euclidean and l1, over all
            parameters) on the fixed batch of training examples
weights     for each weight W with two or more dimensions, flattened to (out, rest), and its
            start W_0:
                `norm/NAME`      ||W||_F
                `change/NAME`    ||W - W_0||_F / ||W_0||_F
                `overlap/NAME`   <W, W_0> / (||W||_F ||W_0||_F)
                `rank/NAME`      the stable rank ||D||_F^2 / ||D||_2^2 of D = W - W_0
            and `weight_norm`, ||W||_F over all of these together
sharpness   `sharpness`, the largest eigenvalue of the Hessian on that batch, by Lanczos
curvature   exact curvature matrices on the first 256 of these and what approximates them, see
            `harness.frameworks.torch.curvature`; for small models
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from harness.frameworks.base import Evaluator
from harness.frameworks.examples import Parameters
from harness.plan.trial import Diagnostic
from workloads.parameters import ParameterSpec

Diagnostics = Callable[[Parameters], dict[str, float]]
Matrix = npt.NDArray[np.float64]


def wanted_diagnostics(
    names: Sequence[Diagnostic],
    evaluator: Evaluator,
    start: Parameters,
    specs: Mapping[str, ParameterSpec],
) -> list[Diagnostics]:
    """The diagnostics of some names, each a function of a snapshot's parameters.

    Args:
        names: the requested diagnostics.
        evaluator: has the model and the fixed batch.
        start: the initial parameters.
        specs: of all parameters, by name.
    """
    weights = [name for name, spec in specs.items() if len(spec.shape) > 1]
    functions: dict[Diagnostic, Diagnostics] = {
        "training": partial(_training, evaluator),
        "weights": partial(_weights, {name: _matrix(start[name]) for name in weights}),
        "sharpness": evaluator.sharpness,
        "curvature": evaluator.curvature,
    }
    return [functions[name] for name in names]


def together(each: Sequence[Diagnostics]) -> Diagnostics | None:
    """Several diagnostics as one function; None if there are none."""
    if not each:
        return None
    return lambda parameters: {k: v for one in each for k, v in one(parameters).items()}


def _training(evaluator: Evaluator, parameters: Parameters) -> dict[str, float]:
    metrics = evaluator.probe(parameters)
    return {("train_loss" if name == "loss" else name): value for name, value in metrics.items()}


def _weights(starts: Mapping[str, Matrix], parameters: Parameters) -> dict[str, float]:
    values, squares = dict[str, float](), 0.0
    for name, start in starts.items():
        weight = _matrix(parameters[name])
        norm, initial = float(np.linalg.norm(weight)), float(np.linalg.norm(start))
        change = weight - start
        squares += norm**2
        values[f"norm/{name}"] = norm
        values[f"change/{name}"] = _ratio(float(np.linalg.norm(change)), initial)
        values[f"overlap/{name}"] = _ratio(float((weight * start).sum()), norm * initial)
        values[f"rank/{name}"] = _stable_rank(change)
    return values | {"weight_norm": math.sqrt(squares)}


def _matrix(value: npt.NDArray[np.float32]) -> Matrix:
    return value.reshape(len(value), -1).astype(np.float64)


def _stable_rank(matrix: Matrix) -> float:
    if not np.isfinite(matrix).all():
        return math.nan
    return _ratio(float(np.linalg.norm(matrix)) ** 2, float(np.linalg.norm(matrix, ord=2)) ** 2)


def _ratio(above: float, below: float) -> float:
    return above / below if below else math.nan
