"""Running batch statistics: who moves them, who leaves them, and how they are recomputed."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from harness.core.seeds import philox
from harness.frameworks.base import ALONE, Place
from harness.frameworks.examples import Examples, ModelSource
from harness.frameworks.load import training_backend
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from harness.submission.interface import Batch
from tests.frameworks.kit import SEED, HalfSpent, plain
from workloads.parameters import STATISTICS_MOMENTUM, initial_buffers, initial_parameters
from workloads.resnet import model

SIZES = {"width": 8, "blocks": [1], "classes": 3}
SOURCE = ModelSource("workloads.resnet", SIZES, "cross_entropy", "float32")
COUNT = 64


def examples() -> Examples:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (COUNT, 3, 8, 8), dtype=np.uint8)
    return Examples(images, random.integers(0, 3, COUNT))


class NormalisedNetwork:
    """A small network with batch normalisation in one framework."""

    def __init__(self, framework: str, place: Place = ALONE) -> None:
        self.framework = framework
        self.backend = training_backend(framework, "cpu", 1, place)
        self.backend.pin()
        self.problem: Any = self.backend.problem(ProblemConfig(SOURCE, HalfSpent(), 16, COUNT, 1))
        start = initial_parameters(model.parameters(SIZES), philox(SEED, "weights"))
        self.backend.load(self.problem, start | initial_buffers(model.buffers(SIZES)))
        self.stream = self.backend.stream(examples(), Order(SEED, COUNT), 16)

    def buffers(self) -> dict[str, np.ndarray]:
        return {name: plain(value).copy() for name, value in self.problem.buffers.items()}

    def train_pass(self, batch: Batch[Any]) -> None:
        if hasattr(self.problem, "batch_loss"):
            self.problem.batch_loss(batch).backward()
        else:
            self.problem.value_and_grad(self.problem.parameters, batch)


@pytest.fixture(params=["torch", "jax"])
def network(request: pytest.FixtureRequest) -> Iterator[NormalisedNetwork]:
    yield NormalisedNetwork(request.param)


def farthest(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


def test_evaluate_leaves_them(network: NormalisedNetwork) -> None:
    before = network.buffers()
    network.problem.evaluate(network.problem.parameters, network.stream.next())
    assert farthest(network.buffers(), before) == 0.0


def test_both_frameworks_move_them_alike() -> None:
    one, other = NormalisedNetwork("torch"), NormalisedNetwork("jax")
    before = one.buffers()
    for _ in range(3):
        one.train_pass(one.stream.next())
        other.train_pass(other.stream.next())
    assert farthest(one.buffers(), before) > 0.1
    assert farthest(one.buffers(), other.buffers()) < 1e-5


def test_a_training_pass_moves_them_by_the_momentum(network: NormalisedNetwork) -> None:
    batch, before = network.stream.next(), network.buffers()
    network.problem.recompute_statistics(network.problem.parameters, [batch])
    statistics = network.buffers()
    fresh = NormalisedNetwork(network.framework)
    fresh.train_pass(batch)
    expected = {
        name: (1 - STATISTICS_MOMENTUM) * before[name] + STATISTICS_MOMENTUM * statistics[name]
        for name in before
    }
    assert farthest(fresh.buffers(), expected) < 1e-5


def test_recomputed_they_are_the_mean_over_batches(network: NormalisedNetwork) -> None:
    problem, batches = network.problem, [network.stream.next() for _ in range(3)]
    single = []
    for batch in batches:
        problem.recompute_statistics(problem.parameters, [batch])
        single.append(network.buffers())
    problem.recompute_statistics(problem.parameters, batches)
    mean = {name: np.mean([one[name] for one in single], axis=0) for name in single[0]}
    assert farthest(network.buffers(), mean) < 1e-5
