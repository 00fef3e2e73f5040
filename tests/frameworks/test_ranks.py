"""Data-parallel training: several devices compute what one does, to float tolerance."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.frameworks.base import ALONE, Place
from harness.frameworks.order import Order
from harness.frameworks.torch.stream import TorchStream
from tests.ranks_kit import on_devices, on_ranks

from .kit import EXAMPLES, SEED, Kit, examples, plain
from .test_buffers import NormalisedNetwork, farthest

STEPS = 8
"""Of 32 examples of 200: the seventh batch lies in two epochs."""
LOCATIONS = {"torch": "torch.optim:SGD", "jax": "optax:sgd"}
POINT = {"learning_rate": 0.1, "clip": 0.5}


class TrainingResult(NamedTuple):
    """What training comes to."""

    losses: list[float]
    parameters: dict[str, np.ndarray]
    counts: dict[str, int]


def train(framework: str, place: Place, location: str = "") -> TrainingResult:
    """A perceptron's training, on one of the ranks or on all devices."""
    kit = Kit(framework, place=place)
    point = {} if location else POINT
    submission = kit.submission(location or LOCATIONS[framework], **point)
    stream = kit.stream()
    losses = [float(submission.step(stream)) for _ in range(STEPS)]
    parameters = {n: plain(v).copy() for n, v in submission.eval_parameters().items()}
    return TrainingResult(losses, parameters, dict(kit.problem.counts))


def assert_same(one: TrainingResult, other: TrainingResult) -> None:
    np.testing.assert_allclose(one.losses, other.losses, rtol=1e-5)
    assert farthest(one.parameters, other.parameters) < 1e-5
    assert one.counts == other.counts


@pytest.mark.system
@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_train_as_one_process_does(tmp_path: Path, world_size: int) -> None:
    alone = train("torch", ALONE)
    for one in on_ranks(partial(train, "torch"), world_size, tmp_path):
        assert_same(one, alone)


@pytest.mark.system
@pytest.mark.parametrize("world_size", [2, 4])
def test_several_devices_of_jax_train_as_one_does(world_size: int) -> None:
    alone = train("jax", ALONE)
    assert_same(on_devices(partial(train, "jax"), world_size), alone)


def norms_of(framework: str, place: Place) -> dict[str, np.ndarray]:
    """Parameters and running statistics of a small network, after some steps."""
    start = NormalisedNetwork(framework, place)
    submission = start.backend.submission(LOCATIONS[framework], {"learning_rate": 0.1})
    submission.setup(start.problem, {"learning_rate": 0.1})
    for _ in range(4):
        submission.step(start.stream)
    values = {**submission.eval_parameters(), **start.problem.buffers}
    return {name: plain(value).copy() for name, value in values.items()}


@pytest.mark.system
def test_batch_statistics_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    alone = norms_of("torch", ALONE)
    for one in on_ranks(partial(norms_of, "torch"), 2, tmp_path):
        assert farthest(one, alone) < 2e-5


@pytest.mark.system
def test_so_are_those_of_jax() -> None:
    assert farthest(on_devices(partial(norms_of, "jax"), 2), norms_of("jax", ALONE)) < 2e-5


def stream_of(world_size: int, rank: int) -> TorchStream:
    place, order = Place(world_size, rank), Order(SEED, EXAMPLES)
    return TorchStream(examples(), order, 32, torch.device("cpu"), place=place)


@pytest.mark.parametrize("world_size", [2, 4])
def test_the_slices_of_all_ranks_are_the_batch(torch_kit: Kit, world_size: int) -> None:
    whole, parts = torch_kit.stream(), [stream_of(world_size, r) for r in range(world_size)]
    for count in (32, 32, 128, 64, 400, 32):
        batch, slices = whole.next(count), [part.next(count) for part in parts]
        np.testing.assert_array_equal(np.concatenate([s.inputs for s in slices]), batch.inputs)
        np.testing.assert_array_equal(np.concatenate([s.targets for s in slices]), batch.targets)
    assert all(part.position == whole.position for part in parts)


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(HarnessError, match="30 examples cannot be divided among 4 devices"):
        stream_of(4, 0).next(30)


CLASS = """
class Submission:
    {says}
    def setup(self, problem, hyperparameters):
        self.problem = problem
    def step(self, stream):
        stream.next()
"""


AVERAGING = """
import torch
class Submission:
    averages_over_ranks = True
    def setup(self, problem, hyperparameters):
        self.problem = problem
    def step(self, stream):
        parameters = list(self.problem.parameters.values())
        loss = self.problem.batch_loss(stream.next())
        gradients = list(torch.autograd.grad(loss, parameters))
        whole = loss.detach()
        self.problem.ranks.all_reduce_mean([*gradients, whole])
        with torch.no_grad():
            torch._foreach_add_(parameters, gradients, alpha=-0.1)
        return whole
"""


@pytest.mark.system
def test_a_class_that_averages_its_gradients_trains_as_one_process_does(tmp_path: Path) -> None:
    file = tmp_path / "submission.py"
    file.write_text(AVERAGING)
    alone = train("torch", ALONE, str(file))
    train_file = partial(train, "torch", location=str(file))
    for one in on_ranks(train_file, 2, tmp_path):
        assert_same(one, alone)


class TwoRanks:
    """What a problem says of its ranks where there are two."""

    rank, world_size = 0, 2


@pytest.mark.parametrize(
    ("says", "is_refused"), [("", True), ("averages_over_ranks = True", False)]
)
def test_a_class_trains_on_ranks_if_it_says_that_it_knows_of_them(
    torch_kit: Kit, tmp_path: Path, says: str, is_refused: bool
) -> None:
    file = tmp_path / "submission.py"
    file.write_text(CLASS.format(says=says or "pass"))
    submission, problem = torch_kit.backend.submission(str(file), {}), torch_kit.problem
    alone, problem.ranks = problem.ranks, TwoRanks()
    try:
        submission.setup(problem, {})
        assert not is_refused
    except HarnessError as error:
        assert is_refused and "averages_over_ranks" in error.hint
    finally:
        problem.ranks = alone
