"""What jax compiles, it compiles in the warm-up, and which attention it compiles."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness.frameworks.examples import Examples, ModelSource
from harness.frameworks.load import training_backend
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from harness.submission.interface import Batch
from tests.frameworks.kit import SEED, HalfSpent
from workloads.fused_jax import causal_attention, differentiable_once
from workloads.spec import Augmentation

RESNET = ModelSource(
    "workloads.resnet", {"width": 4, "blocks": [1], "classes": 3}, "cross_entropy", "float32"
)
HOW = Augmentation(crop_padding=1, flip=True)
COUNT = 100
MISS = "/jax/compilation_cache/cache_misses"


def images(count: int) -> Examples:
    return Examples(np.zeros((count, 3, 8, 8), np.uint8), np.zeros(count, np.int64))


def test_the_real_stream_finds_its_programs_compiled() -> None:
    backend = training_backend("jax", "cpu", 1)
    backend.pin()
    backend.problem(ProblemConfig(RESNET, HalfSpent(), 16, COUNT, 1))
    warm = backend.stream(images(64), Order(SEED, 64), 16, HOW)
    for _ in range(5):  # over the end of an epoch
        warm.next()
    events = list[str]()
    jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
    real = backend.stream(images(COUNT), Order(SEED, COUNT), 16, HOW)
    for _ in range(8):
        real.next()
    jax.monitoring.clear_event_listeners()
    assert len(events) > 0
    assert events.count(MISS) <= 2, "but for the two arrays that are brought to the device"


@pytest.mark.parametrize(
    ("platform", "dtype", "is_training", "expected"),
    [
        ("gpu", "bfloat16", True, "cudnn"),
        ("gpu", "bfloat16", False, None),
        ("gpu", "float32", True, None),
        ("cpu", "bfloat16", True, None),
    ],
)
def test_attention_is_cudnns_where_one_derivative_is_enough(
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    dtype: str,
    is_training: bool,
    expected: str | None,
) -> None:
    implementations = list[str | None]()

    def note_implementation(
        query: jax.Array, *_: object, implementation: str | None, **__: object
    ) -> jax.Array:
        implementations.append(implementation)
        return query

    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    monkeypatch.setattr(jax.nn, "dot_product_attention", note_implementation)
    source = ModelSource(
        "workloads.lm",
        {"classes": 512, "width": 16, "depth": 1, "heads": 2, "mlp_width": 32},
        "cross_entropy",
        dtype,
    )
    problem: Any = training_backend("jax", "cpu", 1).problem(
        ProblemConfig(source, HalfSpent(), 2, 2, 1)
    )
    tokens = jnp.zeros((2, 4), jnp.int32)
    call = problem.value_and_grad if is_training else problem.evaluate
    jax.eval_shape(call, problem.parameters, Batch(tokens, tokens))
    assert implementations == [expected]


@pytest.mark.gpu
def test_on_a_gpu_jax_has_it_and_no_other() -> None:
    backend = training_backend("jax", "cuda:0", 1)
    backend.pin()
    assert jax.default_backend() == "gpu"
    assert [device.platform for device in jax.local_devices()] == ["gpu"]


@pytest.mark.gpu
def test_on_a_gpu_both_attentions_agree() -> None:
    assert jax.default_backend() == "gpu"
    keys = jax.random.split(jax.random.key(0), 3)
    parts = [jax.random.normal(key, (2, 128, 4, 64), jnp.bfloat16) for key in keys]
    plain = causal_attention(*parts)
    with differentiable_once():
        fused = causal_attention(*parts)
    assert jnp.abs(plain - fused).max() < 0.05


def test_what_jax_queues_is_waited_for_but_for_the_last_step() -> None:
    backend = training_backend("jax", "cpu", 1)
    backend.pin()
    matrix = jnp.full((1024, 1024), 1.0 / 1024)

    @jax.jit
    def loss(previous: jax.Array) -> jax.Array:
        whole: jax.Array = jax.lax.fori_loop(0, 4, lambda _, x: x @ x, matrix + previous)
        return whole.sum()

    losses = [loss(jnp.zeros(())).block_until_ready()]
    for _ in range(4):
        losses.append(loss(losses[-1]))
    assert not losses[2].is_ready(), "jax queues steps"
    losses[-1].block_until_ready()
    for _ in range(4):
        losses.append(loss(losses[-1]))
        backend.pace(losses[-2])
        assert losses[-2].is_ready()
    backend.pace(None)
    assert losses[-1].is_ready(), "without a loss all work is waited for"
