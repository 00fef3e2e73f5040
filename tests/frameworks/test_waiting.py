"""A step's own parts never wait for the device: what they ask of it stays there."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from harness.frameworks.load import training_backend
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from harness.frameworks.torch.arrays import export_into
from harness.frameworks.torch.device import TorchDevice
from harness.frameworks.torch.loss import CrossEntropy
from harness.frameworks.torch.stream import TorchStream
from harness.submission.planned import locate
from harness.submission.resolution import resolve
from tests.frameworks.kit import EXAMPLES, SEED, SOURCE, HalfSpent, Kit, examples, parameters

WAITING = ("aten._local_scalar_dense", "aten.nonzero", "aten.equal", "aten.is_nonzero")


class Waits(TorchDispatchMode):
    """Notes every operation for whose result the host would wait on a GPU."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names = list[str]()

    def __torch_dispatch__(
        self,
        func: Any,
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        if str(func).startswith(WAITING):
            self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def stream(*, is_mapped: bool, device: str = "cpu") -> TorchStream:
    source = replace(examples(), is_mapped=is_mapped)
    return TorchStream(source, Order(SEED, EXAMPLES), 32, torch.device(device))


@pytest.mark.parametrize("is_mapped", [False, True])
def test_no_batch_waits_even_over_an_epochs_end(is_mapped: bool) -> None:
    batches = stream(is_mapped=is_mapped)
    with Waits() as waits:
        for _ in range(EXAMPLES // 32 + 2):
            batches.next()
    assert waits.names == []


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_no_pass_waits(torch_kit: Kit, precision: str) -> None:
    kit = torch_kit.with_precision(precision)
    problem, batch = kit.problem, kit.batch()
    with Waits() as waits:
        problem.batch_loss(batch).backward()
        logits = problem.evaluate({}, batch).logits
        problem.loss.sample_targets(logits, problem.generator)
    assert waits.names == []


def step_of(name: str, device: str) -> Callable[[], object]:
    """A shipped submission's step on the small perceptron, after the first three."""
    backend = training_backend("torch", device, 1)
    backend.pin()
    problem = backend.problem(ProblemConfig(SOURCE, HalfSpent(), 32, EXAMPLES, 1))
    backend.load(problem, parameters())
    submission = resolve(name)
    point = dict(submission.space.default)
    live = backend.submission(locate(submission.ref, "torch").place, point)
    live.setup(problem, point)
    batches = stream(is_mapped=False, device=device)
    for _ in range(3):
        live.step(batches)
    return lambda: live.step(batches)


@pytest.mark.parametrize("name", ["adamw", "nesterov", "muon"])
def test_no_whole_step_waits(name: str) -> None:
    step = step_of(name, "cpu")
    with Waits() as waits:
        step()
    assert waits.names == []


@pytest.mark.gpu
@pytest.mark.parametrize(
    "name", ["adamw", "nadamw", "nesterov", "muon", "soap", "psgd", "schedule_free_adamw"]
)
def test_on_a_gpu_no_whole_step_waits(name: str) -> None:
    step = step_of(name, "cuda:0")
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_sampled_targets_are_multinomials_draw() -> None:
    logits = torch.randn(500, 7, generator=torch.Generator().manual_seed(0))
    drawn = CrossEntropy().sample_targets(logits, torch.Generator().manual_seed(1))
    expected = torch.multinomial(logits.softmax(-1), 1, generator=torch.Generator().manual_seed(1))
    assert torch.equal(drawn, expected[:, 0])


@pytest.mark.gpu
@pytest.mark.parametrize("is_mapped", [False, True])
def test_on_a_gpu_batches_and_draws_do_not_wait(is_mapped: bool) -> None:
    TorchDevice("cuda", 1).pin()
    batches = stream(is_mapped=is_mapped, device="cuda:0")
    batches.next()
    logits = torch.randn(32, 4, device="cuda:0")
    acts: list[Callable[[], object]] = [
        batches.next,
        lambda: CrossEntropy().sample_targets(logits),
    ]
    torch.cuda.set_sync_debug_mode("error")
    try:
        for act in acts:
            act()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
def test_on_a_gpu_a_snapshot_is_handed_over_at_the_pace_of_pinned_memory() -> None:
    TorchDevice("cuda", 1).pin()
    count = 2**26
    weights = {"w": torch.rand(count, device="cuda:0")}
    slot = np.zeros(count, dtype=np.float32)
    seconds = []
    for _ in range(3):
        start_s = time.perf_counter()
        export_into(weights, {"w": (count,)}, slot)
        seconds.append(time.perf_counter() - start_s)
    assert np.array_equal(slot, weights["w"].cpu().numpy())
    assert 4 * count / min(seconds) > 4e9, "bytes a second, from the device to shared memory"
