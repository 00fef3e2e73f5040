"""AlgoPerf's functions of a workload on a problem of ours: statistics, losses, dropout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.frameworks.examples import ModelSource
from harness.frameworks.problem import ProblemConfig
from harness.submission.algoperf import spec
from tests.frameworks.kit import HalfSpent, Kit, plain
from tests.frameworks.test_buffers import NormalisedNetwork

if TYPE_CHECKING:
    import jax


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_running_statistics_move_only_if_they_are_to(framework: str, tmp_path: Path) -> None:
    network = NormalisedNetwork(framework)
    bridge = bridge_of(framework)
    workload, container, state = bridge.begin(network.problem, {})
    assert spec.ParameterType.BATCH_NORM_SCALE in workload.model_params_types.values()
    batch, before = bridge.batch(network.stream.next()), network.buffers()
    for moves in (False, True):
        _, state = workload.model_fn(
            container, batch, state, spec.ForwardPassMode.TRAIN, bridge.random(1)[1], moves
        )
        bridge.take_update(container, state)
        same = [np.array_equal(before[n], value) for n, value in network.buffers().items()]
        assert all(same) if not moves else not any(same)


def bridge_of(framework: str) -> Any:
    if framework == "torch":
        from harness.frameworks.torch.algoperf import TorchBridge

        return TorchBridge()
    from harness.frameworks.jax.algoperf import JaxBridge

    return JaxBridge(has_device_axis=False)


def test_smoothed_and_masked_losses_are_torchs(kit: Kit) -> None:
    import torch

    workload = bridge_of(kit.framework).begin(kit.problem, {})[0]
    random = np.random.default_rng(0)
    logits = random.standard_normal((8, 3, 5)).astype(np.float32)
    labels, mask = (np.arange(24) % 5).reshape(8, 3), np.arange(8) < 6
    array = torch.from_numpy if kit.framework == "torch" else __import__("jax").numpy.asarray
    losses = workload.loss_fn(array(labels), array(logits), array(mask), label_smoothing=0.2)
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits.reshape(24, 5)), torch.from_numpy(labels.reshape(24)),
        reduction="none", label_smoothing=0.2,
    ).numpy().reshape(8, 3) * mask[:, None]  # fmt: skip
    np.testing.assert_allclose(plain(losses["per_example"]), expected, rtol=1e-5)
    np.testing.assert_allclose(float(losses["summed"]), expected.sum(), rtol=1e-5)
    assert float(losses["n_valid_examples"]) == 18


RNN = ModelSource(
    "workloads.rnn",
    {"classes": 7, "embedding": 4, "hidden": 6, "dropout": 0.0},
    "cross_entropy",
    "float32",
)


RATES = pytest.mark.parametrize(
    ("passed", "point", "drops"),
    [
        (0.5, {}, True),
        (0.0, {"dropout_rate": 0.5}, False),
        (None, {"dropout_rate": 0.5}, True),
        (None, {}, False),
    ],
)


TRAIN = spec.ForwardPassMode.TRAIN


@RATES
def test_dropout_is_applied_where_a_torch_model_has_it(
    torch_kit: Kit, passed: float | None, point: dict[str, float], drops: bool
) -> None:
    import torch

    problem = torch_kit.backend.problem(ProblemConfig(RNN, HalfSpent(), 2, 2, 1))
    start = {name: np.full(one.shape, 0.5, np.float32) for name, one in problem.specs.items()}
    torch_kit.backend.load(problem, start)
    workload, model, _ = bridge_of("torch").begin(problem, point)
    batch = {"inputs": torch.arange(12).reshape(2, 6) % 7}
    one, other = (workload.model_fn(model, batch, None, TRAIN, None, True, passed) for _ in "ab")
    assert torch.equal(one[0], other[0]) is not drops
    one[0].sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@RATES
def test_dropout_is_applied_where_a_jax_model_has_it(
    jax_kit: Kit, passed: float | None, point: dict[str, float], drops: bool
) -> None:
    import jax

    problem = jax_kit.backend.problem(ProblemConfig(RNN, HalfSpent(), 2, 2, 1))
    workload, container, state = bridge_of("jax").begin(problem, point)
    batch = {"inputs": np.zeros((2, 6), int)}
    graph = jax.make_jaxpr(
        lambda key: workload.model_fn(container, batch, state, TRAIN, key, True, passed)[0]
    )(jax.random.PRNGKey(0))
    assert ("random_bits" in str(graph)) is drops


@pytest.mark.parametrize("point", [{"dropout_rate": 0.5}, {}])
def test_a_rate_that_an_update_is_traced_with_is_the_points(
    jax_kit: Kit, point: dict[str, float]
) -> None:
    import jax

    problem = jax_kit.backend.problem(ProblemConfig(RNN, HalfSpent(), 2, 2, 1))
    workload, container, state = bridge_of("jax").begin(problem, point)

    def logits(rate: float) -> jax.Array:
        inputs, key = np.zeros((2, 6), int), jax.random.PRNGKey(0)
        outputs = workload.model_fn(container, {"inputs": inputs}, state, TRAIN, key, True, rate)
        result: jax.Array = outputs[0]
        return result

    if point:
        assert jax.eval_shape(logits, 0.5).shape == (2, 6, 7)
    else:
        with pytest.raises(HarnessError, match="dropout_rate is an argument of the compiled"):
            jax.eval_shape(logits, 0.5)
