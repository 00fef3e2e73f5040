"""Blocks that models share: both frameworks against formulas in double precision."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.special import erf, expit

from workloads import blocks_jax, blocks_torch

VALUES = np.linspace(-4.0, 4.0, 81)
FORMULAS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0.0),
    "squared_relu": lambda x: np.maximum(x, 0.0) ** 2,
    "tanh": np.tanh,
    "gelu": lambda x: 0.5 * x * (1.0 + erf(x / np.sqrt(2.0))),
    "silu": lambda x: x * expit(x),
}
EPSILON = 1e-2
"""Large, so that a wrong place for it is seen."""


def test_both_frameworks_have_the_same_activations() -> None:
    assert FORMULAS.keys() == blocks_torch.ACTIVATIONS.keys() == blocks_jax.ACTIVATIONS.keys()


@pytest.mark.parametrize("name", FORMULAS)
def test_an_activation_is_its_formula(name: str) -> None:
    values = VALUES.astype(np.float32)
    in_torch = blocks_torch.ACTIVATIONS[name]()(torch.from_numpy(values)).numpy()
    in_jax = np.asarray(blocks_jax.ACTIVATIONS[name](jnp.asarray(values)))
    for result in (in_torch, in_jax):
        assert np.allclose(result, FORMULAS[name](VALUES), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("kind", ["rms", "layer"])
def test_a_norm_is_its_formula(kind: str) -> None:
    rng = np.random.default_rng(0)
    values, gain = rng.normal(1.0, 2.0, (3, 5, 8)), rng.normal(1.0, 0.5, 8)
    centred = values - values.mean(-1, keepdims=True) if kind == "layer" else values
    expected = gain * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON)
    norm = blocks_torch.Norm(8, kind, EPSILON)
    with torch.no_grad():
        norm.weight.copy_(torch.from_numpy(gain))
        in_torch = norm(torch.from_numpy(values.astype(np.float32))).numpy()
    single = jnp.asarray(values, jnp.float32)
    in_jax = blocks_jax.normalise(single, jnp.asarray(gain, jnp.float32), kind, EPSILON)
    for result in (in_torch, np.asarray(in_jax)):
        assert np.allclose(result, expected, rtol=1e-5, atol=1e-5)
