"""State: ten steps, save, load into a new trial, ten more are twenty steps, bit for bit."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch

from harness.providers.registry import submission_folders
from harness.submission.space import read_space
from tests.frameworks.kit import Kit, plain
from tests.tiers import nightly_but

from .given_problem import default_point
from .workload_models import WorkloadKit

FILES = {"torch": "submission.py", "jax": "submission_jax.py"}
ENTRIES = [
    (framework, name)
    for framework, file in FILES.items()
    for name, folder in submission_folders().items()
    if (folder / file).exists()
]
TORCH = [entry for entry in ENTRIES if entry[0] == "torch"]
KINDS_IN_JAX = [("jax", name) for name in ("adamw", "schedule_free_adamw")]
"""A transformation's state, and one with an average beside it; compiling takes long."""
STEPS = 20
SHAPED = [
    (name, model)
    for _, name in TORCH
    for model in ("resnet", "rnn")
    if f"quick/{model}" not in read_space(submission_folders()[name] / "space.toml").refused
]
OTHERWISE_SHAPED = [pair for pair in SHAPED if pair[0] in ("adamw", "kfac", "muon", "shampoo")]
"""One that takes entries alone, one that captures passes, two that flatten kernels."""


class TrialRun:
    """A trial of a small model, a perceptron unless said otherwise: problem, submission, stream."""

    def __init__(self, kit: Kit, name: str, **changes: object) -> None:
        self.kit = kit
        point = default_point(name, **changes)
        self.submission = self.kit.submission(submission_folders()[name], **point)
        self.stream = self.kit.stream()

    def steps(self, count: int) -> TrialRun:
        for _ in range(count):
            self.submission.step(self.stream)
        return self

    def evaluated_parameters(self) -> dict[str, np.ndarray]:
        return {n: plain(value) for n, value in self.submission.eval_parameters().items()}

    def save_state(self) -> bytes:
        """The state as bytes: what a submission changes later does not reach it."""
        if self.kit.framework == "jax":
            return pickle.dumps(self.submission.state_dict())
        file = io.BytesIO()
        torch.save(self.submission.state_dict(), file)
        return file.getvalue()

    def continue_from(self, other: TrialRun) -> TrialRun:
        state = other.save_state()
        if self.kit.framework == "jax":
            self.submission.load_state_dict(pickle.loads(state))
        else:
            self.submission.load_state_dict(torch.load(io.BytesIO(state), weights_only=True))
            self.kit.problem.generator.set_state(other.kit.problem.generator.get_state())
            for name, value in self.kit.problem.buffers.items():
                value.copy_(other.kit.problem.buffers[name])
        self.stream.next(other.stream.position)
        return self


def assert_resumed(make: Callable[[], TrialRun], half: int) -> None:
    """Two halves with a save between them are the whole, bit for bit."""
    expected = make().steps(2 * half).evaluated_parameters()
    first = make().steps(half)
    actual = make().continue_from(first).steps(half).evaluated_parameters()
    assert actual.keys() == expected.keys()
    for parameter in expected:
        np.testing.assert_array_equal(actual[parameter], expected[parameter])


@pytest.mark.parametrize(("framework", "name"), nightly_but([*TORCH, *KINDS_IN_JAX], ENTRIES))
def test_twenty_steps_are_ten_saved_and_ten(framework: str, name: str) -> None:
    assert_resumed(lambda: TrialRun(Kit(framework), name), STEPS // 2)


@pytest.mark.parametrize(("name", "model"), nightly_but(OTHERWISE_SHAPED, SHAPED))
def test_kernels_and_recurrences_are_resumed(name: str, model: str) -> None:
    assert_resumed(lambda: TrialRun(WorkloadKit("torch", name=model), name), 3)


def test_psgd_is_resumed_between_fits_in_turn() -> None:
    assert_resumed(lambda: TrialRun(Kit("torch"), "psgd", burst=3, update_every=4), STEPS // 2)
