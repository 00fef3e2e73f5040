"""State: ten steps, save, load into a new trial, ten more are twenty steps, bit for bit."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from given_problem import default_point

from harness.registry import submission_folders
from tests.frameworks.kit import Kit, plain

FILES = {"torch": "submission.py", "jax": "submission_jax.py"}
ENTRIES = [
    (framework, name)
    for framework, file in FILES.items()
    for name, folder in submission_folders().items()
    if (folder / file).exists()
]
STEPS = 20


class Run:
    """A trial of a small perceptron: problem, submission and stream."""

    def __init__(self, framework: str, name: str) -> None:
        self.kit = Kit(framework)
        self.submission = self.kit.submission(submission_folders()[name], **default_point(name))
        self.stream = self.kit.stream()

    def steps(self, count: int) -> Run:
        for _ in range(count):
            self.submission.step(self.stream)
        return self

    def judged(self) -> dict[str, np.ndarray]:
        return {n: plain(value) for n, value in self.submission.eval_parameters().items()}

    def saved(self) -> Any:
        """The state as bytes: what a submission changes later does not reach it."""
        if self.kit.framework == "jax":
            return pickle.dumps(self.submission.state_dict())
        file = io.BytesIO()
        torch.save(self.submission.state_dict(), file)
        return file.getvalue()

    def continue_from(self, other: Run) -> Run:
        saved = other.saved()
        if self.kit.framework == "jax":
            self.submission.load_state_dict(pickle.loads(saved))
        else:
            self.submission.load_state_dict(torch.load(io.BytesIO(saved), weights_only=True))
            self.kit.problem.generator.set_state(other.kit.problem.generator.get_state())
        self.stream.next(other.stream.position)
        return self


@pytest.mark.parametrize(("framework", "name"), ENTRIES)
def test_twenty_steps_are_ten_saved_and_ten(framework: str, name: str) -> None:
    expected = Run(framework, name).steps(STEPS).judged()
    first = Run(framework, name).steps(STEPS // 2)
    found = Run(framework, name).continue_from(first).steps(STEPS // 2).judged()
    assert found.keys() == expected.keys()
    for parameter in expected:
        np.testing.assert_array_equal(found[parameter], expected[parameter])
