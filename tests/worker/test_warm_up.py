"""A warm-up leaves no trace: parameters, optimizer and all generators are those of a trial without.

Compared are the states of whole workers, as a checkpoint after a few steps holds them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from harness.execution.base import RunOptions
from harness.execution.trial import run_trial
from harness.plan.plan import PlanRequest, plan
from harness.record.schema import CheckpointWritten, ToldEvent, Warm
from harness.referee.checkpoint import DRAFT_FILE
from harness.submission.reference import Framework
from tests.kit import in_steps, space, write_submission
from workloads.spec import Grid

CODE = {
    "torch": """
import random
import torch

def build(problem, hyperparameters):
    torch.rand(3)
    adam = torch.optim.Adam(problem.parameters.values(), lr=hyperparameters["learning_rate"])
    return adam, lambda fraction: 1.0 + 0.1 * random.random() + 0.1 * torch.rand(()).item()
""",
    "jax": """
import random
import optax

def build(problem, hyperparameters):
    problem.next_key()
    return optax.adam(hyperparameters["learning_rate"]), lambda _: 1.0 + 0.1 * random.random()
""",
}
SKIP = """
from harness.protocol.messages import Warm
from harness.worker.worker import Worker

Worker._warm_up = lambda self, order: self._line.send(Warm(compile_s=0.0, steps=0))
"""


class Copies:
    """Reads the worker's part of the first checkpoint, before it takes its place."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.warm_steps = folder, -1
        self.text, self.tensors = "", dict[str, np.ndarray]()

    def event(self, event: ToldEvent) -> None:
        if isinstance(event, Warm):
            self.warm_steps = event.steps
        if isinstance(event, CheckpointWritten) and not self.text:
            with safe_open(self.folder / DRAFT_FILE, framework="numpy") as file:
                self.text = file.metadata()["worker"]
                names = file.keys()
                self.tensors = {name: file.get_tensor(name) for name in names}


def state(folder: Path, cache: Path, framework: Framework, code: str) -> Copies:
    """The state after four of eight steps."""
    module = "submission" if framework == "torch" else "submission_jax"
    declared = space(framework, learning_rate=0.01)
    place = write_submission(folder / "submission", code, declared, module)
    (trial,) = plan(PlanRequest("mlp", str(place), ruleset="self", framework=framework)).trials
    trial = in_steps(trial, 8, Grid(even=4, look_from=1.0, kept=2))
    copies = Copies(folder / trial.folder)
    options = RunOptions(cache_dir=cache, threads=1, checkpoint_s=0.0)
    assert run_trial(trial, folder, options, copies).state == "budget"
    return copies


@pytest.mark.parametrize("framework", ["torch", pytest.param("jax", marks=pytest.mark.smoke)])
def test_a_worker_is_as_it_would_be_without_a_warm_up(
    tmp_path: Path, data_cache: Path, framework: Framework
) -> None:
    code = CODE[framework]
    warm = state(tmp_path / "warm", data_cache, framework, code)
    cold = state(tmp_path / "cold", data_cache, framework, code + SKIP)
    assert (warm.warm_steps, cold.warm_steps) == (3, 0)
    assert warm.text == cold.text
    assert sorted(warm.tensors) == sorted(cold.tensors)
    for name, tensor in warm.tensors.items():
        np.testing.assert_array_equal(tensor, cold.tensors[name])
