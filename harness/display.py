"""What a user sees while trials run: a live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.trial import Result, Scalar, Trial, TrialRecord

EVALUATION_LINES = 5
"""How many evaluations of a trial the plain display shows, evenly spread over its budget."""


class Display(Protocol):
    """A back-end: hears of each trial and of the events inside it."""

    def note(self, text: str) -> None:
        """Something is done before the trials start."""
        ...

    def begin(self, number: int, total: int, trial: Trial) -> None:
        """Trial `number` of `total` starts."""
        ...

    def event(self, event: Mapping[str, Any]) -> None:
        """Something happened in the trial: an event of its record, or its progress."""
        ...

    def finish(self, record: TrialRecord) -> None:
        """The trial ended and has a result."""
        ...

    def close(self) -> None:
        """Nothing more will be shown."""
        ...


def display_for(console: Console) -> Display:
    """The back-end that suits a console."""
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)


class _Progress:
    """What is known of the trial that runs."""

    def __init__(self, number: int, total: int, trial: Trial) -> None:
        self.number = number
        self.total = total
        self.trial = trial
        self.phase = "starting"
        self.step = 0
        self.timed_s = 0.0
        self.share = 0.0
        self.metric: float | None = None

    def hear(self, event: Mapping[str, Any]) -> None:
        facts = facts_of(event)
        self.phase = _PHASES.get(str(event.get("kind")), self.phase)
        if facts.get("step") is not None:
            self.step = int(facts["step"])
        if facts.get("timed_s") is not None:
            self.timed_s = float(facts["timed_s"])
        if facts.get("share") is not None:
            self.share = min(1.0, float(facts["share"]))
        elif not self.trial.budget.steps:
            self.share = min(1.0, self.timed_s / self.trial.budget.runtime_s)
        value = facts.get("validation", {}).get(self.trial.target.metric)
        if value is not None:
            self.metric = float(value)

    @property
    def left(self) -> str:
        budget = self.trial.budget
        if budget.steps:
            return f"{round(budget.steps * (1.0 - self.share))} steps left"
        return f"{budget.runtime_s * (1.0 - self.share):.1f} s left"

    @property
    def head(self) -> str:
        return f"trial {self.number} of {self.total}"

    @property
    def metric_text(self) -> str:
        target = self.trial.target
        now = "-" if self.metric is None else f"{self.metric:.4g}"
        return f"{target.metric} {now} (target {target.value:.4g})"


_PHASES = {
    "begin": "preparing",
    "prepared": "warming up",
    "ready": "warming up",
    "warm": "loading",
    "go": "training",
    "progress": "training",
    "snapshot": "evaluating",
    "evaluation": "training",
}


def facts_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an event says: its `data`, or itself if it has none."""
    data = event.get("data")
    return data if isinstance(data, Mapping) else event


class PlainDisplay:
    """Lines for a log: the start and end of each trial and a few evaluations between."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: _Progress | None = None
        self._shown = 0

    def note(self, text: str) -> None:
        """Say it on a line."""
        self._line(text)

    def begin(self, number: int, total: int, trial: Trial) -> None:
        """Say which trial starts."""
        self._progress = _Progress(number, total, trial)
        self._shown = 0
        self._line(f"{self._progress.head}: study {trial.study} trial {trial.trial}, started")

    def event(self, event: Mapping[str, Any]) -> None:
        """Say how far the trial is, at most `EVALUATION_LINES` times."""
        progress = self._progress
        if progress is None:
            return
        progress.hear(event)
        if event.get("kind") != "evaluation":
            return
        due = int(progress.share * EVALUATION_LINES)
        if due > self._shown:
            self._shown = due
            self._line(f"  step {progress.step}, {progress.metric_text}, {progress.left}")

    def finish(self, record: TrialRecord) -> None:
        """Say how the trial ended."""
        if record.result is not None and self._progress is not None:
            self._line(f"{self._progress.head}: {ending(record.trial, record.result)}")

    def close(self) -> None:
        """Nothing is held open."""

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


class LiveDisplay:
    """One line that moves for the running trial, one that stays for each finished one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: _Progress | None = None
        # No refresh thread: it would take time from the worker. Events come twice a second or more.
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def note(self, text: str) -> None:
        """Show it on the moving line."""
        self._live.start()
        self._live.update(Text(text, style="cyan"), refresh=True)

    def begin(self, number: int, total: int, trial: Trial) -> None:
        """Start the line of a trial."""
        self._progress = _Progress(number, total, trial)
        self._live.start()
        self._show()

    def event(self, event: Mapping[str, Any]) -> None:
        """Move the line."""
        if self._progress is not None:
            self._progress.hear(event)
            self._show()

    def finish(self, record: TrialRecord) -> None:
        """Leave one line that stays."""
        if record.result is None or self._progress is None:
            return
        colour = "green" if record.result.state == "reached" else "yellow"
        text = f"{self._progress.head}: {ending(record.trial, record.result)}"
        self._console.print(Text(text, style=colour))

    def close(self) -> None:
        """Take the moving line away."""
        self._live.stop()

    def _show(self) -> None:
        progress = self._progress
        if progress is None:
            return
        filled = round(progress.share * 10)
        text = (
            f"{progress.head} {'█' * filled}{'░' * (10 - filled)} {progress.phase}, "
            f"step {progress.step}\n  {progress.metric_text}, {progress.left}"
        )
        self._live.update(Text(text, style="cyan"), refresh=True)


def ending(trial: Trial, result: Result) -> str:
    """One line on how a trial ended."""
    best = "-" if result.best_metric is None else f"{result.best_metric:.4g}"
    if result.state == "reached" and result.time_to_target_s is not None:
        return (
            f"reached {trial.target.metric} {trial.target.value:.4g} after "
            f"{result.time_to_target_s:.2f} s, {result.steps_to_target} steps"
        )
    tail = f"best {trial.target.metric} {best} in {result.timed_s:.2f} s, {result.steps} steps"
    return f"{result.state}: {tail}"


def results_table(records: Sequence[TrialRecord]) -> Table:
    """The table at the end of a run, narrow enough for 80 columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("study", "trial"):
        table.add_column(name, justify="right")
    table.add_column("state", no_wrap=True)
    for name in ("time (s)", "steps", "best"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("point", overflow="fold")
    names = _searched(records)
    for record in records:
        table.add_row(*_row(record, names))
    return table


def _searched(records: Sequence[TrialRecord]) -> tuple[str, ...]:
    """The hyperparameters that differ between trials; all, if none does."""
    values: dict[str, set[Scalar]] = {}
    for record in records:
        for name, value in record.trial.point.items():
            values.setdefault(name, set()).add(value)
    return tuple(name for name in values if len(values[name]) > 1) or tuple(values)


def _row(record: TrialRecord, names: Iterable[str]) -> tuple[str, ...]:
    trial, result = record.trial, record.result
    place, point = (str(trial.study), str(trial.trial)), _point_text(trial, names)
    if result is None:
        return (*place, "not run", "-", "-", "-", point)
    time = "-" if result.time_to_target_s is None else f"{result.time_to_target_s:.2f}"
    steps = result.steps if result.steps_to_target is None else result.steps_to_target
    best = "-" if result.best_metric is None else f"{result.best_metric:.4g}"
    state = f"{result.state}, disturbed" if result.disturbed else result.state
    return (*place, state, time, str(steps), best, point)


def _point_text(trial: Trial, names: Iterable[str]) -> str:
    """A point on few lines: `name=value`, numbers to four digits."""
    values = ((name, trial.point[name]) for name in names if name in trial.point)
    return " ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in values
    )


def missed(records: Sequence[TrialRecord]) -> str:
    """That no trial reached the target, and how near the best came; "" if one did."""
    results = [record.result for record in records if record.result is not None]
    if not results or any(result.state == "reached" for result in results):
        return ""
    target = records[0].trial.target
    values = [result.best_metric for result in results if result.best_metric is not None]
    pick = max if target.direction == "maximize" else min
    nearest = f"; the nearest came to {pick(values):.4g}" if values else ""
    return f"None of {len(results)} trials reached {target.metric} {target.value:.4g}{nearest}."


def reasons(records: Iterable[TrialRecord]) -> tuple[str, ...]:
    """Why trials ended neither at target nor at budget, and what disturbed them, each once."""
    found: dict[str, str] = {}
    for record in records:
        result = record.result
        if result is not None and result.state not in ("reached", "budget") and result.reason:
            place = f"study {record.trial.study} trial {record.trial.trial}"
            found.setdefault(result.reason, f"{place}, {result.state}: {result.reason}")
        if result is not None and result.disturbed:
            what = "; ".join(result.disturbed)
            place = f"study {record.trial.study} trial {record.trial.trial}"
            found.setdefault(what, f"{place}, disturbed: {what}")
    return tuple(found.values())
