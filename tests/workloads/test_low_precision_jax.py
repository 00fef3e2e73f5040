"""JAX in bfloat16: gradients that are sums over thousands of places are not lost in the summing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.typing import DTypeLike

from harness.core.seeds import philox
from harness.providers import registry
from tests.tiers import nightly_but
from workloads.parameters import initial_parameters
from workloads.spec import Sizes

SEED = "1" * 32
CLASSES = 64
LM = {"classes": CLASSES, "width": 32, "depth": 1, "heads": 2, "mlp_width": 32}
RNN = {"classes": CLASSES, "embedding": 16, "hidden": 16}
RESNET = {"width": 8, "blocks": [1], "groups": 8, "normalisation": "group"}
CASES: list[tuple[str, Sizes]] = [
    ("lm", LM),
    ("rnn", RNN),
    ("rnn", RNN | {"is_tied": True}),
    ("resnet", RESNET),
]
NORM = "branch.1.norm."
SUMS = ("embedding.weight", "input.bias", "output.bias", f"{NORM}weight", f"{NORM}bias")
"""Not the first norm's of a branch: before another norm a gradient is small beside its rounding."""


def batch(workload: str) -> tuple[np.ndarray, np.ndarray]:
    """Images, or tokens of which a few are frequent."""
    random = np.random.default_rng(0)
    if workload == "resnet":
        images = random.integers(256, size=(256, 3, 8, 8)).astype(np.uint8)
        return images, (images[:, 0, 0, 0] // 26).astype(np.int32)
    fractions = 1.0 / np.arange(1, CLASSES + 1)
    tokens = random.choice(CLASSES, p=fractions / fractions.sum(), size=(64, 65))
    return tokens[:, :-1], tokens[:, 1:]


@pytest.mark.system
@pytest.mark.parametrize(("workload", "sizes"), nightly_but([("rnn", RNN)], CASES))
def test_sums_over_all_places_are_in_float32(workload: str, sizes: Sizes) -> None:
    inputs, targets = batch(workload)
    definition = registry.workload(workload)
    forward = definition.module("model_jax").build(sizes)

    def loss(parameters: dict[str, jax.Array], dtype: DTypeLike) -> jax.Array:
        low = {name: value.astype(dtype) for name, value in parameters.items()}
        logits = forward(low, jnp.asarray(inputs)).logits.astype(jnp.float32)
        logs = jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], -1)
        return -logs.mean()

    weights = initial_parameters(
        definition.module("model").parameters(sizes), philox(SEED, "weights")
    )
    start = {name: jnp.asarray(value) for name, value in weights.items()}
    gradient = jax.jit(jax.grad(loss), static_argnums=1)
    rough, exact = gradient(start, jnp.bfloat16), gradient(start, jnp.float32)
    apart = {
        name: float(jnp.linalg.norm(rough[name] - value) / jnp.linalg.norm(value))
        for name, value in exact.items()
        if name.endswith(SUMS)
    }
    assert max(apart.values()) < 0.03, apart
