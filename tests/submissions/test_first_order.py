"""SGD in its two forms, AdamW and NAdamW, torch's against optax's own over twenty steps."""

from __future__ import annotations

from typing import Any

import optax
import pytest
from given_problem import (
    default_point,
    largest_error,
    optax_steps,
    optax_transformation,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

NAMES = ("sgd", "heavy_ball", "nesterov", "adamw", "nadamw")


def oracle(name: str) -> optax.GradientTransformation:
    point: dict[str, Any] = default_point(name)
    rate, decay = point["learning_rate"], point["weight_decay"]
    if name in ("adamw", "nadamw"):
        alias = {"adamw": optax.adamw, "nadamw": optax.nadamw}[name]
        return alias(rate, point["beta1"], point["beta2"], point["epsilon"], weight_decay=decay)
    momentum = optax.sgd(rate, momentum=point["momentum"], nesterov=name != "heavy_ball")
    return optax.chain(optax.add_decayed_weights(decay), momentum)


@pytest.mark.parametrize("name", NAMES)
def test_torch_agrees_with_optax(name: str) -> None:
    problem = torch_problem()
    ours = torch_steps(torch_optimizer(name, problem), problem)
    assert largest_error(ours, optax_steps(oracle(name))) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_jax_agrees_with_optax(name: str) -> None:
    ours = optax_steps(optax_transformation(name))
    assert largest_error(ours, optax_steps(oracle(name))) == 0.0
