"""Dropout in the LSTM, in both frameworks."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness.providers import registry
from tests.workloads.language_batches import LanguageBatches
from tests.workloads.parity import Twin, apart
from workloads.functional_jax import Call
from workloads.rnn import model, model_jax

SIZES = registry.workload("rnn").at("quick").sizes
INPUTS, TARGETS = LanguageBatches(4, 8, 4).all
Logits = Callable[[int | None], np.ndarray]
"""Logits in training with dropout drawn from a seed; of evaluation if the seed is None."""


def dropped_in_torch(dropping: Twin, tokens: np.ndarray) -> Logits:
    def logits(seed: int | None) -> np.ndarray:
        module = dropping.torch_model(dropping.start).train(seed is not None)
        torch.manual_seed(seed or 0)
        return np.asarray(module(torch.tensor(tokens)).detach().numpy())

    return logits


def dropped_in_jax(dropping: Twin, tokens: np.ndarray) -> Logits:
    forward, entered = model_jax.build(dropping.sizes), jnp.asarray(tokens)
    evaluate = jax.jit(lambda start: forward(start, entered, buffers={}).logits)
    train = jax.jit(lambda start, key: forward(start, entered, key=key).logits)

    def logits(seed: int | None) -> np.ndarray:
        start = dict(dropping.start)
        return np.asarray(evaluate(start) if seed is None else train(start, jax.random.key(seed)))

    return logits


@pytest.mark.system
@pytest.mark.parametrize("logits_of", [dropped_in_torch, dropped_in_jax])
def test_dropout_acts_in_training_alone(logits_of: Callable[[Twin, np.ndarray], Logits]) -> None:
    plain, tokens = Twin("rnn", SIZES), INPUTS.astype(np.int32)
    logits = logits_of(Twin("rnn", SIZES | {"dropout": 0.5}), tokens)
    evaluated = logits(None)
    assert apart(evaluated, plain.jax_step(plain.start, (INPUTS, TARGETS)).logits) < 1e-5
    one, other = logits(1), logits(2)
    assert apart(one, evaluated) > 0.05
    assert apart(one, other) > 0.05
    assert np.array_equal(one, logits(1))


def test_jax_drops_and_enlarges_the_declared_fraction() -> None:
    sizes = model.validate(SIZES | {"dropout": 0.25})
    keys = {"embedding": jax.random.key(3)}
    ones = jnp.ones((100, 100), jnp.float32)
    run = model_jax.Run(sizes, Call({}, ones, {}, None, None), keys)
    values = np.asarray(run.drop_out("embedding", ones))
    assert set(np.unique(values)) == {np.float32(0.0), np.float32(1 / 0.75)}
    assert (values == 0).mean() == pytest.approx(0.25, abs=0.02)
