"""What a worker hands over of averaged weights: running statistics of their own."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.frameworks.order import Order
from harness.protocol.messages import (
    TO_REFEREE,
    Go,
    Hello,
    Load,
    Message,
    Ready,
    Snapshot,
    ToRefereeMessage,
    Warm,
    WarmUp,
)
from harness.protocol.wire import Wire
from harness.submission.reference import Framework
from harness.worker.worker import STATISTICS_BATCHES, serve_trial
from tests.frameworks.kit import SEED
from tests.frameworks.test_buffers import COUNT, SIZES, SOURCE, Normed, examples, farthest

BATCH, STEPS = 16, 6
SUBMISSION = {"torch": "torch.optim:SGD", "jax": "optax:sgd"}
Arrays = dict[str, np.ndarray]


def hello(framework: Framework, point: dict[str, Any]) -> Hello:
    return Hello(
        framework=framework, device="cpu", threads=1, precision="float32", compile=False,
        batch_size=BATCH, train_examples=COUNT, augmentation=None,
        submission=SUBMISSION[framework], hyperparameters=point,
        input_shape=(3, 8, 8), input_dtype="uint8", target_shape=(),
        package=SOURCE.package, sizes=SIZES, loss=SOURCE.loss,
        budget_s=600.0, budget_steps=STEPS, resident_gib=1.0, seed=SEED,
    )  # fmt: skip


def snapshot(framework: Framework, folder: Path, **point: Any) -> Arrays:
    """What a worker hands over after some steps from the start that `Normed` has."""
    data = examples()
    np.save(folder / "inputs.npy", data.inputs)
    np.save(folder / "targets.npy", data.targets)
    start = Normed(framework)
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

    ask(hello(framework, {"learning_rate": 0.1, **point}), Ready)
    ask(WarmUp(cap_s=60.0), Warm)
    ask(Load(train_folder=str(folder)), Ready, weights)
    averages = ask(Go(fraction=0.0, until_step=STEPS), Snapshot)
    wire.close()
    worker.join()
    its.close()
    return averages


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_an_average_is_judged_with_statistics_of_its_own(
    framework: Framework, tmp_path: Path
) -> None:
    averages = snapshot(framework, tmp_path, average="ema", average_decay=0.5)
    fresh = Normed(framework)
    names = set(fresh.problem.buffers)
    fresh.backend.load(fresh.problem, averages)
    stream = fresh.backend.stream(examples(), Order(SEED, COUNT), BATCH)
    batches = [stream.next() for _ in range(STATISTICS_BATCHES)]
    fresh.problem.recompute_statistics(fresh.problem.parameters, batches)
    assert farthest(fresh.buffers(), {n: averages[n] for n in names}) < 1e-5


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_other_weights_are_judged_with_those_of_training(
    framework: Framework, tmp_path: Path
) -> None:
    trained = snapshot(framework, tmp_path)
    averaged = snapshot(framework, tmp_path, average="ema", average_decay=0.5)
    names = set(Normed(framework).problem.buffers)
    assert farthest({n: trained[n] for n in names}, averaged) > 0.01
