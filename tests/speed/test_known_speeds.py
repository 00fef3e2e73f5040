"""The cached speeds: several runs add theirs at once."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from harness.plan.trial import MachineSpeed
from harness.speed.known_speeds import read_speed, write_speed
from workloads.spec import ReferenceSpeed

REFERENCE = ReferenceSpeed(step_s=0.02, startup_s=0.2)


def write_several(run: int) -> None:
    for number in range(20):
        conditions = f"{run}.{number}"
        write_speed(
            MachineSpeed(
                step_s=0.02, startup_s=0.2, reference=REFERENCE, spread=0.0, conditions=conditions
            )
        )


def test_runs_that_measure_at_once_lose_none_of_each_others_speeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(write_several, range(2)))
    assert all(read_speed(f"{run}.{number}") for run in range(2) for number in range(20))
