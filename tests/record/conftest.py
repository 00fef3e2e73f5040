"""A store as a run leaves it, written by the real recorder, ledger and rules of observation."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from harness.machine.hardware import Environment, Hardware
from harness.machine.readings import MachineChange, MachineReading, contention, interference
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Result, Trial, TrialRecord
from harness.record.attempts import attempts_of, final_end
from harness.record.ledger import Ledger
from harness.record.log import EventLog, read_events
from harness.record.plan import write_plan
from harness.record.schema import (
    Begin,
    Claims,
    End,
    Evaluation,
    EventData,
    Go,
    Part,
    SnapshotTaken,
)
from harness.record.schema.base import Author
from harness.record.schema.ledger import AttemptBegun, AttemptEnded
from harness.record.store import EVENTS_FILE, write_record
from harness.referee.eval_schedule import EvalSchedule
from harness.referee.parts import Certainty, Measurement
from harness.referee.target_search import HeldSnapshot, TargetSearch
from workloads.spec import Grid

FILES = "f" * 64
HARDWARE = Hardware(
    processor="made", machine="x86_64", cores=2, memory_gib=8, device="cpu", accelerator=None
)
ENVIRONMENT = Environment(
    python="3.11.2", system="Linux", packages={"jax": None}, variables={}, harness_hash="0" * 64
)
READING = MachineReading(
    speed_probe_s=0.02,
    speed_probe_version=1,
    cores=None,
    load_average=0.5,
    throttled=None,
    at_s=10.0,
    busy_s=100.0,
    stolen_s=5.0,
    processors=2.0,
)
GRID = Grid(even=25, look_from=1.0, kept=5)
PART_AT = 6
"""The grid point of which a part may be evaluated: the last miss, so all of it is in the end."""
MACHINE = {"drift": 0.01, "stolen_fraction": 0.0, "others_fraction": 0.0, "taken_fraction": 0.0}


def machine_change() -> MachineChange:
    return MachineChange(
        after=READING,
        drift=MACHINE["drift"],
        stolen_fraction=MACHINE["stolen_fraction"],
        others_fraction=MACHINE["others_fraction"],
        taken_fraction=MACHINE["taken_fraction"],
        throttled=None,
    )


class SampleStore:
    """A store with one ended trial: ten grid points, the target met at the seventh.

    Args:
        store: a folder that does not exist yet, or what is left of such a store.
        grid: the trial's; None for the workload's own, where more points pass before a look.
        part: how much of the split is evaluated at `PART_AT` at first; None for all of it.
    """

    part: Part | None = None

    def __init__(self, store: Path, grid: Grid | None = GRID, part: Part | None = None) -> None:
        self.store, self.part = store, part
        (trial,) = plan(PlanRequest("mlp", "adamw", trials=1)).trials
        self.trial = trial.model_copy(update={"grid": grid or trial.grid})
        self.run()

    @property
    def log(self) -> Path:
        return self.folder / EVENTS_FILE

    @property
    def folder(self) -> Path:
        return self.store / self.trial.folder

    def run(self) -> None:
        """Plan the trial and run what is missing of it, in the order of
        `harness.execution.trial`.
        """
        write_plan([self.trial], self.store)
        events = read_events(self.log) if self.log.exists() else []
        if final_end(events) is None:
            self.attempt(Ledger(self.store).attempts(self.trial.identity) + 1)
        self.conclude()

    def attempt(self, number: int) -> None:
        """Write an attempt as a referee does, up to its end."""
        Ledger(self.store).note(AttemptBegun(identity=self.trial.identity, attempt=number))
        with closing(EventLog(self.log)) as log:
            log.append(beginning(self.trial, number))
            for event, by in Curve(self.trial, self.part).events:
                log.append(event, by)
            result = ending(self.trial)
            clock = {"timed_s": result.timed_s}
            log.append(End(result=result, clock=clock, machine=machine_change()))

    def conclude(self) -> None:
        """Enter the last attempt's end into the ledger and into `trial.json`."""
        events, identity, result = read_events(self.log), self.trial.identity, ending(self.trial)
        number, head = attempts_of(events)[-1].number, events[-1].hash
        end = AttemptEnded(identity=identity, attempt=number, state=result.state, events=head)
        Ledger(self.store).note_once(end)
        write_record(self.folder, TrialRecord(identity=identity, trial=self.trial, result=result))


def beginning(trial: Trial, number: int) -> Begin:
    return Begin(
        identity=trial.identity,
        attempt=number,
        submission_files=FILES,
        hardware=HARDWARE,
        fingerprint=HARDWARE.fingerprint,
        environment=ENVIRONMENT,
        threads=2,
        sandbox="plain",
        unenforced=("everything",),
        load_average=0.5,
    )


def time_at(trial: Trial, grid: int) -> float:
    return 1.01 * trial.grid.fraction(grid) * trial.budget.runtime_s


def value_at(trial: Trial, grid: int) -> float:
    return trial.target.value + 0.01 * (grid - 6.5)


class Curve:
    """What a referee sees of a trial whose target is met at the seventh grid point.

    With `GRID` there are snapshots at ten points, and evaluations of the fifth, the tenth, the
    sixth and the seventh.
    """

    def __init__(self, trial: Trial, part: Part | None = None) -> None:
        self.trial, self.part = trial, part
        before = READING.model_copy(update={"at_s": 0.0})
        go = Go(budget_s=trial.budget.runtime_s, machine=before)
        self.events: list[tuple[EventData, Author]] = [(go, "referee")]
        self.search = TargetSearch(trial.grid, trial.target, self._evaluate)
        self.points = 0
        while self.search.hit is None:
            self._pass(self.points + 1)

    def _pass(self, grid: int) -> None:
        is_look = self.search.is_look_due(grid)
        self.events.append((snapshot(self.trial, grid, is_look=is_look), "worker"))
        take = self.search.look if is_look else self.search.keep
        take(HeldSnapshot(grid, 100 * grid, time_at(self.trial, grid), 12800 * grid, {}))
        self.points = grid

    def _evaluate(self, held_snapshot: HeldSnapshot, *, until: Certainty) -> Measurement:
        event = evaluation(self.trial, held_snapshot.grid)
        if self.part is not None and held_snapshot.grid == PART_AT and until == "likely":
            event = event.model_copy(update={"part": self.part})
        self.events.append((event, "referee"))
        return Measurement(
            value_at(self.trial, held_snapshot.grid), until if event.part else "whole"
        )


def snapshot(trial: Trial, grid: int, *, is_look: bool) -> SnapshotTaken:
    step, timed_s = 100 * grid, time_at(trial, grid)
    return SnapshotTaken(
        grid=grid,
        step=step,
        timed_s=timed_s,
        fraction=EvalSchedule(trial).fraction(timed_s, step),
        is_look=is_look,
        claims=Claims(
            examples=12800 * grid,
            train_loss=1.0 / grid,
            learning_rate=None,
            forwards=step,
            backwards=step,
            snapshots_s=0.001 * grid,
        ),
    )


def evaluation(trial: Trial, grid: int) -> Evaluation:
    return Evaluation(
        grid=grid,
        step=100 * grid,
        timed_s=time_at(trial, grid),
        examples=12800 * grid,
        validation={trial.target.metric: value_at(trial, grid)},
    )


def ending(trial: Trial) -> Result:
    curve = Curve(trial)
    return Result(
        state="reached",
        reason="the target was met",
        timed_s=time_at(trial, curve.points) + 0.5,
        steps=100 * curve.points,
        interference=interference(machine_change(), trial.limits.drift),
        contention=contention(machine_change(), trial.limits.drift),
        **curve.search.outcome()._asdict(),
    )
