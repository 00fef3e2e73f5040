"""A submission that cannot make a step is refused before a trial of it is planned."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.execution.rehearsal import rehearse
from harness.execution.resolved import resolve_trial
from harness.plan.plan import PlanRequest, plan
from harness.record.store import record_paths
from harness.runs.run import run
from tests.kit import write_submission

TEMPLATE = """
import os, sys, torch

def build(problem, hyperparameters):
    {first}
    return torch.optim.SGD(problem.parameters.values(), lr=0.1)
"""


def run_once(folder: Path, store: Path, cache: Path, first: str) -> None:
    submission = write_submission(folder, TEMPLATE.format(first=first))
    request = PlanRequest("mlp", str(submission), trials=1, budget_scale=0.01)
    run(request, store, options=RunOptions(threads=1, cache_dir=cache))


@pytest.mark.parametrize(
    ("first", "why"),
    [
        ("raise RuntimeError('made to fail')", r"RuntimeError: made to fail \(.*submission.py:5"),
        ("print('going down', flush=True); os._exit(3)", r"ended: .*3[\s\S]*going down"),
        ("sys.exit('no more')", r"SystemExit: no more; a submission may not .*submission.py:5"),
    ],
)
def test_a_submission_that_cannot_train_leaves_no_trial(
    tmp_path: Path, data_cache: Path, first: str, why: str
) -> None:
    store = tmp_path / "store"
    with pytest.raises(HarnessError, match=why):
        run_once(tmp_path / "mine", store, data_cache, first)
    assert not record_paths(store)


def test_what_a_submission_does_not_look_up_is_named(tmp_path: Path, data_cache: Path) -> None:
    submission = str(write_submission(tmp_path / "mine", TEMPLATE.format(first="pass")))
    request = PlanRequest("mlp", submission, trials=1, budget_scale=0.01)
    own_plan = plan(request)
    options = RunOptions(threads=1, cache_dir=data_cache)
    unread = rehearse(resolve_trial(own_plan.trials[0], options), options)
    assert unread.startswith("mine has not looked up learning_rate")
    adagrad = plan(PlanRequest("mlp", "torch.optim:Adagrad", trials=1, budget_scale=0.01))
    assert rehearse(resolve_trial(adagrad.trials[0], options), options) == ""


def test_a_submission_that_can_train_runs(tmp_path: Path, data_cache: Path) -> None:
    run_once(tmp_path / "mine", tmp_path / "store", data_cache, "pass")
    assert len(record_paths(tmp_path / "store")) == 1


LOCAL = """
import torch

class O(torch.optim.SGD):
    def __init__(self, params, lr):
        super().__init__(params, lr=lr)
"""
COMPILED = """
import torch

@torch.compile
def update(value, gradient, rate):
    value.add_(gradient * -rate)

class Compiled(torch.optim.Optimizer):
    @torch.no_grad()
    def step(self):
        for value in self.param_groups[0]["params"]:
            update(value, value.grad, 0.1)

def build(problem, hyperparameters):
    return Compiled(problem.parameters.values(), {})
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++")
def test_an_update_that_torch_compiles_makes_its_steps(tmp_path: Path, data_cache: Path) -> None:
    submission = str(write_submission(tmp_path / "mine", COMPILED))
    request = PlanRequest("mlp", submission, trials=1, budget_scale=0.1)
    options = RunOptions(threads=2, cache_dir=data_cache)
    (record,) = run(request, tmp_path / "store", options=options)
    assert record.result is not None
    assert (record.result.state, record.result.steps > 0) == ("budget", True)


def test_a_file_of_the_size_of_a_compilers_may_be_written(tmp_path: Path, data_cache: Path) -> None:
    first = "import tempfile; tempfile.TemporaryFile().truncate(200 * 2**20)"
    run_once(tmp_path / "mine", tmp_path / "store", data_cache, first)
    assert len(record_paths(tmp_path / "store")) == 1


@pytest.mark.parametrize("location", ["mine", "gd_space.inner:O"])
def test_local_modules_run_from_their_copies(
    tmp_path: Path, data_cache: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    """One that a folder imports, and one of a package in several places."""
    inner = tmp_path / "gd_space" / "inner.py"
    inner.parent.mkdir()
    inner.write_text(LOCAL)
    source = "from gd_space.inner import O\n\ndef build(problem, hyperparameters):\n"
    source += "    return O(problem.parameters.values(), lr=hyperparameters['learning_rate'])\n"
    write_submission(tmp_path / "mine", source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    own_plan = plan(PlanRequest("mlp", location, trials=1, budget_scale=0.01)).trials[0]
    options = RunOptions(threads=1, cache_dir=data_cache)
    resolved = resolve_trial(own_plan, options)
    inner.unlink()
    rehearse(resolved, options)
