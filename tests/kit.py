"""A submission's folder, trials that do not end, and busy processors, in a few words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.machine.cores import allowed_cores
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Trial
from harness.record.plan import write_plan
from workloads.spec import Grid

BUILD = "def build(problem, hyperparameters): ...\n"
"""The least that a submission's file may hold: it is found and read, and trains nothing."""


def space(*frameworks: str, learning_rate: float = 0.1) -> str:
    """The least that a `space.toml` may hold; of torch, if no framework is named."""
    return f"""
summary = "for a test"
family = "test"
frameworks = {json.dumps(frameworks or ("torch",))}
[default]
learning_rate = {learning_rate!r}
"""


SPACE = space()


def write_submission(
    folder: Path, source: str = BUILD, declared: str = SPACE, module: str = "submission"
) -> Path:
    """Write a submission's two files into a folder, which need not exist; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(source)
    (folder / "space.toml").write_text(declared)
    return folder


def in_steps(trial: Trial, steps: int, grid: Grid, **changes: object) -> Trial:
    """A planned trial with a budget in steps, observed on a grid, that never reaches its target."""
    budget = trial.budget.model_copy(update={"steps": steps, "runtime_s": 600.0})
    target = trial.target.model_copy(update={"value": 2.0})
    return trial.model_copy(update={"budget": budget, "target": target, "grid": grid, **changes})


def endless_trials(
    store: Path, grid: Grid, *, count: int, steps: int, devices: int = 1
) -> tuple[Trial, ...]:
    """Planned trials on `mlp` that are counted in steps and never reach their target."""
    own_trials = plan(PlanRequest("mlp", "adamw", trials=count, devices=devices)).trials
    trials = tuple(in_steps(trial, steps, grid) for trial in own_trials)
    write_plan(trials, store)
    return trials


@contextmanager
def busy_processors() -> Iterator[None]:
    """A program that computes on each of the processors."""
    spin = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    running = [subprocess.Popen(spin, stdout=subprocess.PIPE) for _ in allowed_cores()]
    try:
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        yield
    finally:
        for process in running:
            process.kill()
            process.communicate()


def assert_quick_study(process: subprocess.CompletedProcess[str]) -> None:
    """A command that ran a study of `mlp` in `quick`, with `--json`, has trained it.

    Whether a trial reaches the target depends on what else the machine does; three times the
    accuracy of a guess takes a twentieth of the budget.
    """
    assert process.returncode == 0, process.stdout + process.stderr
    results = [record["result"] for record in json.loads(process.stdout)]
    assert len(results) == 3
    assert {result["state"] for result in results} <= {"reached", "budget"}
    assert max(result["best_metric"] for result in results) > 0.3, "no point trains"
