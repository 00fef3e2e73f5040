"""Every workload through the whole harness in both frameworks: plan, referee, worker, record."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.record.attempts import of_type
from harness.record.log import read_events
from harness.record.schema import Evaluation
from harness.record.store import read_record, record_paths

RUN = "from harness.cli.app import main; main()"
SHORT = ("--trials", "1", "--studies", "1", "--budget-scale", "0.3")


def loss_of(evaluation: Evaluation) -> float:
    loss = evaluation.validation["loss"]
    assert loss is not None
    return loss


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["torch", "jax"])
@pytest.mark.parametrize("name", ["mlp", "resnet", "lm", "rnn"])
def test_a_workload_trains(name: str, framework: str, tmp_path: Path, data_cache: Path) -> None:
    flags = ("run", "--workload", name, "--submission", "adamw", "--framework", framework, *SHORT)
    subprocess.run(
        [sys.executable, "-c", RUN, *flags, "--out", str(tmp_path)],
        env=os.environ | {"XDG_CACHE_HOME": str(data_cache)},
        check=True,
    )
    (path,) = record_paths(tmp_path)
    result = read_record(path).result
    assert result is not None
    assert result.state in ("budget", "reached")
    events = read_events(path.parent / "events.jsonl")
    losses = [loss_of(evaluation) for evaluation in of_type(events, Evaluation)]
    assert losses[-1] < losses[0]
