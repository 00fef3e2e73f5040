"""Trials of a few steps on one and on several devices, and what of them must be equal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.execution.base import RunOptions
from harness.execution.trial import run_trial
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Result, Trial
from harness.record.recorder import Silent
from harness.record.schema import SnapshotTaken
from harness.record.store import last_attempt
from harness.record.tables import evaluations
from tests.kit import in_steps
from workloads.spec import Grid

STEPS = 8
KNOCKING = """
import socket, threading
import torch

def knock():
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):
        try:
            socket.socket(family, socket.SOCK_RAW if family == socket.AF_NETLINK else 1).close()
            print("open", flush=True)
        except OSError:
            print("refused", flush=True)

def build(problem, hyperparameters):
    knock()
    thread = threading.Thread(target=knock)
    thread.start()
    thread.join()
    return torch.optim.SGD(problem.parameters.values(), lr=0.1)
"""
"""A submission that says once and again, in two threads, which sockets it may open."""


def trial_on(devices: int, submission: str, framework: str = "torch", **changes: object) -> Trial:
    """A trial of a few steps on `mlp`, observed after each."""
    request = PlanRequest("mlp", submission, ruleset="self", devices=devices)
    (trial,) = plan(replace(request, framework=framework)).trials
    return in_steps(trial, STEPS, Grid(even=STEPS, look_from=1.0), **changes)


class Bench:
    """A store in which trials are run."""

    def __init__(self, folder: Path, cache: Path, sandbox: str = "plain") -> None:
        self.folder, self.store = folder, folder / "store"
        self.options = RunOptions(sandbox=sandbox, threads=1, cache_dir=cache)

    def run(self, trial: Trial) -> Result:
        """Run a trial; its result."""
        return run_trial(trial, self.store, self.options, Silent())

    def curve(self, trial: Trial) -> tuple[list[float], list[float], list[int]]:
        """The claimed losses and examples, and the measured validation losses."""
        attempt = last_attempt(self.store / trial.folder)
        assert attempt is not None
        claims = [snapshot.claims for snapshot in attempt.all(SnapshotTaken)]
        result = evaluations(self.store / trial.folder)
        return (
            [float(claim.train_loss or np.nan) for claim in claims],
            [float(one.validation["loss"] or np.nan) for one in result],
            [claim.examples for claim in claims],
        )


def assert_same_curves(bench: Bench, one: Trial, other: Trial) -> None:
    """Run two trials; their losses are equal to float tolerance."""
    for trial in (one, other):
        result = bench.run(trial)
        assert result.state == "budget", result.reason
    (losses, metrics, examples), others = bench.curve(one), bench.curve(other)
    assert len(losses) == STEPS
    np.testing.assert_allclose(losses, others[0], rtol=1e-4)
    np.testing.assert_allclose(metrics, others[1], rtol=1e-4)
    assert examples == others[2]
