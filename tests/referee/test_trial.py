"""What holds for a whole trial: record, clock, repetition, isolation of data."""

import json
import shutil

import pytest

from harness.core.errors import CannotWriteError, HarnessError
from harness.execution.trial import run_trial
from harness.record.attempts import of_type
from harness.record.ledger import Ledger
from harness.record.schema import (
    Begin,
    End,
    Evaluation,
    NoProfile,
    SnapshotTaken,
    StepProfile,
    ToldEvent,
)
from harness.record.schema.ledger import AttemptBegun
from harness.record.store import read_record
from harness.record.tables import curves_frame, results_frame
from harness.verification.store import verify_store
from tests.kit import busy_processors
from workloads.spec import Grid

from .conftest import Bench
from .test_states import ADAMW, CLASS, LIVE, acting


def test_a_finished_trial_is_not_run_again(bench: Bench) -> None:
    trial = bench.trial(ADAMW, seconds=0.5)
    first = bench.run_planned(trial)
    events = (bench.store / trial.folder / "events.jsonl").read_bytes()
    assert bench.run_planned(trial) == first
    assert (bench.store / trial.folder / "events.jsonl").read_bytes() == events


def test_a_trial_cut_short_is_begun_anew_and_leaves_its_mark(bench: Bench) -> None:
    trial = bench.trial(ADAMW, seconds=0.5)
    bench.run_planned(trial)
    path = bench.store / trial.folder / "events.jsonl"
    for file in (path, bench.store / "ledger.jsonl"):
        file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    bench.run_planned(trial)
    kinds = [json.loads(line)["kind"] for line in path.read_text().splitlines()]
    assert kinds.count("begin") == 2
    begin = bench.events(trial)[0].data
    assert isinstance(begin, Begin) and begin.attempt == 2


def test_an_ended_trial_whose_events_are_gone_is_not_run_again(bench: Bench) -> None:
    trial = bench.trial(ADAMW, seconds=0.5)
    bench.run_planned(trial)
    shutil.rmtree(bench.store / trial.folder)
    with pytest.raises(HarnessError, match=r"has ended \('budget', attempt 1\)(.|\n)*rerun OUT"):
        bench.run_planned(trial)


def test_an_unended_trial_whose_events_are_gone_is_attempt_2(bench: Bench) -> None:
    trial = bench.trial(ADAMW, seconds=0.5)
    Ledger(bench.store).plan([trial])
    Ledger(bench.store).note(AttemptBegun(identity=trial.identity, attempt=1))
    bench.run_planned(trial)
    begin = bench.events(trial)[0].data
    assert isinstance(begin, Begin) and begin.attempt == 2
    assert verify_store(bench.store).findings == ()


def test_every_grid_point_has_a_snapshot_and_every_look_an_evaluation(bench: Bench) -> None:
    grid = Grid(even=50, look_from=1.0, kept=5)
    trial = bench.trial(ADAMW, seconds=600.0, steps=100).model_copy(update={"grid": grid})
    bench.run_planned(trial)
    events = bench.events(trial)
    snapshots = of_type(events, SnapshotTaken)
    looks = [snapshot.grid for snapshot in snapshots if snapshot.is_look]
    assert [snapshot.grid for snapshot in snapshots] == list(range(1, 51))
    assert [snapshot.step for snapshot in snapshots] == list(range(2, 101, 2))
    assert [evaluation.grid for evaluation in of_type(events, Evaluation)] == looks
    assert looks == [5, *range(9, 50, 4), 50]  # of five in memory one is the last look's


def test_of_what_is_plain_a_part_of_the_split_is_evaluated(bench: Bench) -> None:
    trial = bench.trial(ADAMW, seconds=600.0, steps=100)
    bench.run_planned(trial)
    *looks, last = of_type(bench.events(trial), Evaluation)
    assert last.part is None
    assert {(one.part.examples, one.part.of) for one in looks if one.part} == {(1000, 16_000)}
    assert all(one.part for one in looks)
    curve = curves_frame(bench.store)
    errors = curve.loc[curve["split"].eq("validation"), ["step", "standard_error"]]
    assert (errors["standard_error"].gt(0.0) == errors["step"].lt(100)).all()
    assert verify_store(bench.store).findings == ()


def test_a_hit_and_the_miss_before_it_are_evaluated_whole(bench: Bench) -> None:
    trial = bench.trial(ADAMW, seconds=600.0, steps=100, target=0.3)
    result = bench.run_planned(trial)
    assert result.state == "reached"
    whole = [e for e in of_type(bench.events(trial), Evaluation) if e.part is None]
    values = [one.validation["accuracy"] for one in whole]
    assert {result.hit_metric, result.last_miss_metric} <= set(values)
    assert verify_store(bench.store).findings == ()


def test_a_worker_trains_on_past_a_glance(bench: Bench) -> None:
    trial = bench.trial(acting(), seconds=1.0)
    bench.run_planned(trial)
    snapshots = of_type(bench.events(trial), SnapshotTaken)
    glances = [snapshot for snapshot in snapshots if not snapshot.is_look]
    assert len(glances) > 3 * (len(snapshots) - len(glances))
    assert all(0.0 < glance.claims.snapshots_s < 0.5 for glance in glances)
    assert not verify_store(bench.store).findings


def test_the_record_says_who_said_what(bench: Bench) -> None:
    trial = bench.trial(ADAMW, seconds=0.5)
    bench.run_planned(trial)
    authors = {event.kind: event.by for event in bench.events(trial)}
    assert authors == {
        "begin": "referee",
        "ready": "referee",
        "warm": "worker",
        "go": "referee",
        "snapshot": "worker",
        "evaluation": "referee",
        "other_splits": "referee",
        "profile": "worker",
        "end": "referee",
    }


def test_a_store_becomes_frames_for_scoring(bench: Bench) -> None:
    trial = bench.trial(ADAMW, seconds=0.5)
    result = bench.run_planned(trial)
    (row,) = results_frame(bench.store).to_dict("records")
    assert (row["identity"], row["state"], row["scored"]) == (trial.identity, "budget", False)
    assert row["steps"] == result.steps
    curve = curves_frame(bench.store)
    assert set(curve["split"]) == {"validation", "probe"}
    assert curve["time_s"].is_monotonic_increasing
    assert read_record(bench.store / trial.folder / "trial.json").result == result


def test_the_worker_trains_on_the_instances_data_from_the_instances_weights(bench: Bench) -> None:
    look = """
        if self.steps == 11:
            batch = self.stream.next(4)
            print(self.problem.parameters["output.weight"].sum().item(), batch.targets.tolist())
    """
    source = CLASS.format(act=look, give=LIVE).replace(
        "self.steps += 1", "self.steps += 1; self.stream = stream"
    )
    trial = bench.trial(source, seconds=600.0, steps=20)
    bench.run_planned(trial)
    lines = (bench.store / trial.folder / "worker.log").read_text().splitlines()
    again = trial.model_copy(update={"trial": 2})
    bench.run_planned(again)
    assert (bench.store / again.folder / "worker.log").read_text().splitlines() == lines
    assert len(lines) == 1


def test_step_budgets_give_the_same_curve_whatever_the_speed(bench: Bench) -> None:
    curves = []
    for pause_s in (0.0, 0.002):
        schedule = f"lambda progress: __import__('time').sleep({pause_s}) or 1.0 - progress"
        trial = bench.trial(f"{ADAMW[:-1]}, {schedule}\n", seconds=600.0, steps=200)
        bench.run_planned(trial)
        evaluations = of_type(bench.events(trial), Evaluation)
        curves.append([(evaluation.step, evaluation.validation) for evaluation in evaluations])
    assert curves[0] == curves[1]
    steps = [step for step, _ in curves[0]]
    assert steps[-1] == 200
    assert steps == sorted(set(steps))


def test_a_profile_is_off_the_clock_and_adds_up(bench: Bench) -> None:
    slow = acting("pass").replace("time.sleep(0.002)", "stream.next(); time.sleep(0.01); "
        "self.problem.batch_loss(stream.next()).backward()")  # fmt: skip
    result = bench.run_planned(trial := bench.trial(slow, seconds=1.0))
    (profile,) = of_type(bench.events(trial), StepProfile)
    assert (result.state, profile.steps) == ("budget", 5)
    assert profile.passes_s is not None
    rest_s = profile.steps_s - profile.data_s - profile.passes_s
    assert min(profile.data_s, profile.passes_s) > 0.0
    assert 0.05 <= rest_s < 1.0
    assert result.timed_s < 1.2


def test_a_profile_that_fails_costs_nothing(bench: Bench) -> None:
    dying = acting("os._exit(3) if self.steps > 20 else None")
    result = bench.run_planned(trial := bench.trial(dying, seconds=600.0, steps=20))
    events = bench.events(trial)
    assert result.state == "budget"
    assert [event.why for event in of_type(events, NoProfile)]


def test_time_frozen_is_not_training_time(bench: Bench) -> None:
    """A submission counting its own seconds finds no more than the clock allows it."""
    trial = bench.trial(acting(), seconds=1.0)
    bench.run_planned(trial)
    end = bench.events(trial)[-1].data
    assert isinstance(end, End) and end.clock is not None
    clock = end.clock
    assert 1.0 <= clock["timed_s"] < 1.2
    assert clock["evaluation_s"] > 0.0
    assert set(clock) >= {"setup_s", "warm_up_s", "load_s", "freeze_s", "evaluation_s"}


def test_a_trial_beside_busy_programs_is_flagged(bench: Bench) -> None:
    trial = bench.trial(ADAMW, seconds=2.0)
    with busy_processors():
        result = bench.run_planned(trial)
    assert result.contention.startswith("other programs took ")
    assert results_frame(bench.store)["contention"].tolist() == [result.contention]
    assert verify_store(bench.store).findings == ()


def test_a_display_that_fails_is_no_result_of_the_trial(bench: Bench) -> None:
    class FullDisk:
        def event(self, event: ToldEvent) -> None:
            raise OSError(28, "No space left on device")

    trial = bench.trial(ADAMW, seconds=0.5)
    with pytest.raises(CannotWriteError, match=r"the display failed: OSError.*No space left"):
        run_trial(trial, bench.store, bench.options, FullDisk())
    assert all(event.data.kind != "end" for event in bench.events(trial))
    assert bench.run_planned(trial).state == "budget"
