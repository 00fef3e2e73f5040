"""A trial's worker runs on the cores that its record names, and on no others."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness.execution.trial import run_trial
from harness.machine import cores
from harness.machine.cores import Cores, allowed_cores, claim_cores
from harness.record.schema import Go, ToldEvent
from tests.recovery.conftest import worker_of

from .conftest import Bench
from .test_states import ADAMW


class Witness:
    """Looks at the affinity of every thread of the worker and the referee, at each snapshot."""

    def __init__(self) -> None:
        self.go: list[Cores] = []
        self.worker: set[frozenset[int]] = set()
        self.referee: set[frozenset[int]] = set()

    def event(self, event: ToldEvent) -> None:
        if isinstance(event, Go) and event.machine.cores is not None:
            self.go.append(event.machine.cores)
        if event.kind == "snapshot":
            self.referee.add(frozenset(os.sched_getaffinity(0)))
            for pid in worker_of(os.getpid()):
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    self.worker.add(frozenset(os.sched_getaffinity(int(thread.name))))


def test_every_thread_of_the_worker_is_pinned_and_the_record_says_where(bench: Bench) -> None:
    witness, options = Witness(), replace(bench.options, threads=1)
    trial = bench.trial(ADAMW, seconds=600.0, steps=20)
    run_trial(trial, bench.store, options, witness)
    (go,) = witness.go
    assert len(go.worker) == 1
    assert witness.worker == {frozenset(go.worker)}
    assert witness.referee == {frozenset(go.referee)}


def test_a_trial_beside_another_gets_other_cores_if_there_are_enough(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "_CLAIM", f"guided-descent-test-{os.getpid()}-")
    witness, options = Witness(), replace(bench.options, threads=1)
    with claim_cores(1) as (own_cores, _):
        run_trial(bench.trial(ADAMW, seconds=600.0, steps=4), bench.store, options, witness)
    (go,) = witness.go
    is_alone = len(allowed_cores()) == 1
    assert (go.worker == own_cores) == is_alone
    assert go.shared == (own_cores if is_alone else ())
