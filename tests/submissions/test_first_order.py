"""SGD in its two forms, AdamW and NAdamW: torch's against optax's, closed forms, jax's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import optax
import pytest
import torch

from .conftest import Measure
from .given_problem import (
    STEPS,
    Point,
    default_point,
    draw,
    gradients,
    largest_error,
    optax_steps,
    optax_transformation,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

Alias = Callable[..., optax.GradientTransformation]
NAMES = ("sgd", "heavy_ball", "nesterov", "adamw", "nadamw")


def oracle(name: str) -> optax.GradientTransformation:
    point: Point = default_point(name)
    rate, decay = point["learning_rate"], point["weight_decay"]
    if name in ("adamw", "nadamw"):
        aliases: dict[str, Alias] = {"adamw": optax.adamw, "nadamw": optax.nadamw}
        alias = aliases[name]
        return alias(rate, point["beta1"], point["beta2"], point["epsilon"], weight_decay=decay)
    momentum = optax.sgd(rate, momentum=point["momentum"], nesterov=name != "heavy_ball")
    return optax.chain(optax.add_decayed_weights(decay), momentum)


@pytest.mark.parametrize("name", NAMES)
def test_torch_agrees_with_optax(name: str, measure: Measure) -> None:
    problem = torch_problem()
    ours = torch_steps(torch_optimizer(name, problem), problem)
    assert measure(largest_error(ours, optax_steps(oracle(name)))) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_jax_agrees_with_torch(name: str, measure: Measure) -> None:
    problem = torch_problem()
    theirs = torch_steps(torch_optimizer(name, problem), problem)
    assert measure(largest_error(optax_steps(optax_transformation(name)), theirs)) < 1e-5


Tensors = list[torch.Tensor]


def descent(
    name: str, gradient: Callable[[torch.Tensor], torch.Tensor], **changes: object
) -> Tensors:
    """The iterates of `square`, in float64, where gradients are a function of the point."""
    problem = torch_problem()
    for n, value in problem.parameters.items():
        problem.parameters[n] = torch.nn.Parameter(value.detach().double())
    optimizer, w = torch_optimizer(name, problem, **changes), problem.parameters["square"]
    path = [w.detach().clone()]
    for _ in range(STEPS):
        w.grad = gradient(w.detach())
        optimizer.step()
        path.append(w.detach().clone())
    return path


def test_without_momentum_sgd_is_a_sum_of_faded_gradients() -> None:
    plain: Point = {"momentum": 0.0, "nesterov": False}
    problem, rate, decay = torch_problem(), 0.1, 0.2
    optimizer = torch_optimizer("sgd", problem, **plain, learning_rate=rate, weight_decay=decay)
    ours, expected = torch_steps(optimizer, problem), {}
    for name, start in draw(0).items():
        faded = [(1 - rate * decay) ** (STEPS - 1 - t) * gradients(t)[name] for t in range(STEPS)]
        expected[name] = (1 - rate * decay) ** STEPS * start - rate * np.sum(faded, 0)
    assert largest_error(ours, expected) < 1e-6


@pytest.mark.parametrize("size", [0.05, 1.0, 3.5])
def test_on_a_quadratic_heavy_balls_iterates_are_powers_of_two_roots(size: float) -> None:
    """w_t = c_1 r_1^t + c_2 r_2^t, r^2 = (1 + rho - eta a) r - rho, from standing still."""
    rho, point = 0.7, {"learning_rate": 1.0, "momentum": 0.7, "weight_decay": 0.0}
    path = descent("heavy_ball", lambda w: size * w, **point)
    first, second = (complex(r) for r in np.roots([1.0, -(1.0 + rho - size), rho]))
    fraction = ((1.0 - size) - second) / (first - second)
    for t, w in enumerate(path):
        factor = fraction * first**t + (1 - fraction) * second**t
        torch.testing.assert_close(w, factor.real * path[0], rtol=1e-9, atol=1e-12)


def test_nesterovs_iterate_is_the_point_looked_ahead_to() -> None:
    """Sutskever's form: v <- rho v - eta grad(w + rho v), w <- w + v."""
    rho, rate, slope = 0.9, 0.3, torch.tanh
    changes = {"learning_rate": rate, "momentum": rho, "weight_decay": 0.0}
    path = descent("nesterov", slope, **changes)
    w, v = path[0], torch.zeros_like(path[0])
    for ahead in path:
        torch.testing.assert_close(ahead, w + rho * v, rtol=0.0, atol=1e-12)
        v = rho * v - rate * slope(w + rho * v)
        w = w + v


@pytest.mark.parametrize("name", ["adamw", "nadamw"])
def test_without_gradients_weights_decay_by_rate_times_decay(name: str) -> None:
    path = descent(name, torch.zeros_like, learning_rate=0.1, weight_decay=0.2)
    for t, w in enumerate(path):
        torch.testing.assert_close(w, (1 - 0.1 * 0.2) ** t * path[0])


def test_the_decay_of_adamw_does_not_pass_through_its_moments() -> None:
    """On gradients of 1 the first step is eta however strong the decay is."""
    for decay in (0.0, 0.5):
        start, after, *_ = descent("adamw", torch.ones_like, learning_rate=0.1, weight_decay=decay)
        torch.testing.assert_close(after, (1 - 0.1 * decay) * start - 0.1, rtol=0.0, atol=1e-8)


def test_without_momentum_nadamw_is_adamw() -> None:
    point = {**default_point("adamw"), "beta1": 0.0}
    ours, theirs = (descent(name, torch.tanh, **point)[-1] for name in ("nadamw", "adamw"))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
