"""What a worker hands over of averaged weights: running statistics of their own."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from harness.frameworks.load import training_backend
from harness.frameworks.model_source import shapes_of
from harness.frameworks.order import Order
from harness.frameworks.problem import STATISTICS_BATCHES, NoBudget, ProblemConfig
from harness.protocol.messages import (
    TO_REFEREE,
    Glance,
    Glanced,
    Go,
    Hello,
    Load,
    Message,
    Ready,
    Snapshot,
    Stop,
    ToRefereeMessage,
    Warm,
    WarmUp,
)
from harness.protocol.slot import Slot, own_slot, split
from harness.protocol.wire import Wire
from harness.referee.statistics import BatchStatistics
from harness.submission.reference import Framework, Scalar
from harness.worker.serve import serve_trial
from tests.frameworks.kit import SEED
from tests.frameworks.test_buffers import (
    COUNT,
    SIZES,
    SOURCE,
    NormalisedNetwork,
    examples,
    farthest,
)

BATCH, STEPS = 16, 6
SUBMISSION = {"torch": "torch.optim:SGD", "jax": "optax:sgd"}
Arrays = dict[str, np.ndarray]


def hello(framework: Framework, point: dict[str, Scalar]) -> Hello:
    return Hello(
        framework=framework, device="cpu", threads=1, precision="float32", compile=False,
        batch_size=BATCH, train_examples=COUNT, augmentation=None,
        submission=SUBMISSION[framework], hyperparameters=point,
        input_shape=(3, 8, 8), input_dtype="uint8", target_shape=(),
        package=SOURCE.package, sizes=SIZES, loss=SOURCE.loss,
        budget_s=600.0, budget_steps=STEPS, step_hint=STEPS, resident_gib=1.0, seed=SEED,
    )  # fmt: skip


class HandedOver(NamedTuple):
    """A snapshot taken in passing, whether it lacks its statistics, and one at a stop."""

    glance: Arrays
    needs_statistics: bool
    stop: Arrays


def hand_over(framework: Framework, folder: Path, **point: Scalar) -> HandedOver:
    """What a worker hands over after some steps from the start that `NormalisedNetwork` has."""
    data = examples()
    np.save(folder / "inputs.npy", data.inputs)
    np.save(folder / "targets.npy", data.targets)
    start = NormalisedNetwork(framework)
    weights = start.backend.export({**start.problem.parameters, **start.problem.buffers})
    ours, its = socket.socketpair()
    worker = threading.Thread(target=serve_trial, args=(its,))
    worker.start()
    wire: Wire[ToRefereeMessage] = Wire(ours, TO_REFEREE)

    def ask(order: Message, kind: type, tensors: Arrays | None = None) -> Arrays:
        wire.send(order, tensors)
        message, arrays = wire.receive()
        assert isinstance(message, kind), message
        return {name: np.array(array) for name, array in arrays.items()}

    wire.send(hello(framework, {"learning_rate": 0.1, **point}))
    shapes = shapes_of(SOURCE)
    slot = Slot(shapes)
    slot.send(ours)
    assert isinstance(wire.receive()[0], Ready)
    ask(WarmUp(cap_s=60.0), Warm)
    ask(Load(train_folder=str(folder)), Ready, weights)
    wire.send(Go(fraction=0.0))
    wire.send(Glance(at_step=STEPS))
    glanced, _ = wire.receive()
    assert isinstance(glanced, Glanced)
    glance = split(slot.copy(own_slot(shapes)), shapes)
    stop = ask(Stop(reason="look", at_step=STEPS), Snapshot)
    wire.close()
    slot.close()
    worker.join()
    its.close()
    return HandedOver(glance, glanced.needs_statistics, stop)


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_an_average_is_evaluated_with_statistics_of_its_own(
    framework: Framework, tmp_path: Path
) -> None:
    averages = hand_over(framework, tmp_path, average="ema", average_decay=0.5).stop
    fresh = NormalisedNetwork(framework)
    names = set(fresh.problem.buffers)
    fresh.backend.load(fresh.problem, averages)
    stream = fresh.backend.stream(examples(), Order(SEED, COUNT), BATCH)
    batches = [stream.next() for _ in range(STATISTICS_BATCHES)]
    fresh.problem.recompute_statistics(fresh.problem.parameters, batches)
    assert farthest(fresh.buffers(), {n: averages[n] for n in names}) < 1e-5


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_other_weights_are_evaluated_with_those_of_training(
    framework: Framework, tmp_path: Path
) -> None:
    trained = hand_over(framework, tmp_path).stop
    averaged = hand_over(framework, tmp_path, average="ema", average_decay=0.5).stop
    names = set(NormalisedNetwork(framework).problem.buffers)
    assert farthest({n: trained[n] for n in names}, averaged) > 0.01


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_statistics_that_a_glance_lacks_are_those_of_a_stop(
    framework: Framework, tmp_path: Path
) -> None:
    handed_over = hand_over(framework, tmp_path, average="ema", average_decay=0.5)
    statistics = BatchStatistics(
        backend=lambda: training_backend(framework, "cpu", 1),
        config=ProblemConfig(SOURCE, NoBudget(), BATCH, COUNT, 0),
        examples=examples,
        order=Order(SEED, COUNT),
        augmentation=None,
    )
    assert handed_over.needs_statistics
    assert farthest(handed_over.glance, handed_over.stop) > 0.01
    for _ in range(2):
        recomputed = statistics.recompute(handed_over.glance)
        assert farthest(dict(recomputed), handed_over.stop) < 1e-5


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_a_glance_at_weights_in_training_is_whole(framework: Framework, tmp_path: Path) -> None:
    handed_over = hand_over(framework, tmp_path)
    assert not handed_over.needs_statistics
    assert farthest(handed_over.glance, handed_over.stop) == 0.0
