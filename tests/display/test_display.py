"""What a user sees of a run: narrow tables, thinned lines, every ending."""

from __future__ import annotations

from io import StringIO

import pytest

from harness.core.console import PlainConsole
from harness.display.live import LiveDisplay
from harness.display.load import display_for
from harness.display.plain import PlainDisplay
from harness.display.progress import Progress
from harness.display.results import describe_misses, reasons, results_table
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Result, Trial, TrialRecord
from harness.record.schema import Claims, Evaluation, Metrics, SnapshotTaken, TrainingProgress
from tests.record.conftest import snapshot

REACHED = Result(
    state="reached",
    reason="the target was met",
    time_to_target_s=3.25,
    last_miss_s=3.0,
    hit_s=3.5,
    steps_to_target=4321,
    timed_s=3.25,
    steps=4321,
    best_metric=0.58125,
)
CURSOR_UP = "\x1b[1A"
CRASHED = Result(state="crashed", reason="boom (mine.py:3)", timed_s=0.1, steps=7)


@pytest.fixture(scope="module")
def trial() -> Trial:
    return plan(PlanRequest(workload="mlp", submission="adamw")).trials[0]


def record(trial: Trial, result: Result | None) -> TrialRecord:
    return TrialRecord(identity=trial.identity, trial=trial, result=result)


def console(is_terminal: bool = False) -> PlainConsole:
    return PlainConsole(file=StringIO(), width=80, force_terminal=is_terminal, color_system=None)


def text_of(output: PlainConsole) -> str:
    assert isinstance(output.file, StringIO)
    return output.file.getvalue()


def play(display: PlainDisplay | LiveDisplay, trial: Trial) -> None:
    display.begin(2, 3, trial)
    for number in range(1, 51):
        fraction = number / 50
        step, timed_s = number * 100, fraction * trial.budget.runtime_s
        claims = Claims(
            examples=step,
            train_loss=None,
            learning_rate=None,
            forwards=step,
            backwards=step,
            snapshots_s=0.0,
        )
        display.event(
            SnapshotTaken(
                grid=number,
                step=step,
                timed_s=timed_s,
                fraction=fraction,
                is_look=True,
                claims=claims,
            )
        )
        metrics: Metrics = {"accuracy": fraction / 2}
        display.event(
            Evaluation(grid=number, step=step, timed_s=timed_s, examples=step, validation=metrics)
        )
    display.finish(record(trial, REACHED))
    display.close()


def test_the_plain_display_thins_evaluations(trial: Trial) -> None:
    screen = console()
    play(PlainDisplay(screen), trial)
    lines = text_of(screen).splitlines()
    assert len(lines) == 7
    assert lines[0] == "trial 2 of 3: study 1 trial 1, started"
    assert "step 1000, accuracy 0.1 (target" in lines[1]
    assert "s left" in lines[1]
    assert "reached accuracy" in lines[-1]
    assert "after 3.25 s, 4321 steps" in lines[-1]


def test_what_other_programs_took_is_said_at_the_end_and_in_the_table(trial: Trial) -> None:
    took = "other programs took 60 % of its processors"
    end = record(trial, REACHED.model_copy(update={"contention": took}))
    screen = console()
    display = PlainDisplay(screen)
    display.begin(1, 1, trial)
    display.finish(end)
    assert "60 % of its processors, so it trained more slowly" in " ".join(text_of(screen).split())
    screen.print(results_table([end]))
    assert "reached *" in text_of(screen)
    assert reasons([end]) == (f"* study 1 trial 1, flagged: {took}",)


def test_the_live_display_leaves_one_line_a_trial(trial: Trial) -> None:
    screen = console(is_terminal=True)
    play(LiveDisplay(screen), trial)
    text = text_of(screen)
    assert "trial 2 of 3: reached" in text
    assert "training, step" in text
    assert "(target" in text


def test_a_second_live_line_leaves_what_was_printed_in_between(trial: Trial) -> None:
    screen = console(is_terminal=True)
    display = LiveDisplay(screen)
    play(display, trial)
    display.close()
    screen.print("on another workload")
    display.note("preparing data")
    text = text_of(screen).partition("on another workload")[2].partition("preparing data")[0]
    assert CURSOR_UP not in text


def test_the_console_decides_the_back_end() -> None:
    assert isinstance(display_for(console()), PlainDisplay)
    assert isinstance(display_for(console(is_terminal=True)), LiveDisplay)


def test_the_table_fits_eighty_columns(trial: Trial) -> None:
    screen = console()
    flagged = REACHED.model_copy(update={"contention": "other programs took 60 %"})
    screen.print(results_table([record(trial, r) for r in (flagged, CRASHED, None)]))
    lines = text_of(screen).splitlines()
    assert max(map(len, lines)) <= 80
    for word in ("reached", "3.25", "4321", "0.5813", "crashed", "not run"):
        assert word in text_of(screen)
    assert text_of(screen).count(f"learning_rate={trial.point['learning_rate']:.4g} ") == 3


@pytest.mark.parametrize(("best", "is_late"), [(0.59, False), (0.61, True)])
def test_a_target_met_after_the_end_is_said_to_be_late(
    trial: Trial, best: float, is_late: bool
) -> None:
    result = Result(state="budget", reason="spent", timed_s=9.0, steps=9, best_metric=best)
    text = describe_misses([record(trial, result)])
    target = f"accuracy {trial.target.value:g}"
    assert text.startswith(f"None of 1 trials reached {target}; the nearest came to {best}")
    assert text.endswith(", but only after its budget had ended.") is is_late


def test_a_reason_is_told_once(trial: Trial) -> None:
    records = [record(trial, result) for result in (CRASHED, CRASHED, REACHED)]
    assert reasons(records) == ("study 1 trial 1, crashed: boom (mine.py:3)",)


@pytest.mark.parametrize(("is_look", "phase"), [(True, "evaluating"), (False, "training")])
def test_a_glance_does_not_look_like_an_evaluation(trial: Trial, is_look: bool, phase: str) -> None:
    progress = Progress(1, 1, trial)
    progress.hear(TrainingProgress(timed_s=0.1, fraction=0.1))
    progress.hear(snapshot(trial, 1, is_look=is_look))
    assert progress.phase == phase
