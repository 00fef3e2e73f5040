"""`harness plan` and `harness run --dry-run`: what a run takes, and that nothing runs."""

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main

FLAGS = ["--workload", "mlp", "--submission", "adamw", "--trials", "2", "--budget-scale", "0.5"]
Ask = Callable[..., str]


@pytest.fixture
def ask_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ask:
    monkeypatch.chdir(tmp_path)

    def ask(command: str, *flags: str, base_flags: Sequence[str] = FLAGS) -> str:
        monkeypatch.setattr(sys, "argv", ["harness", command, *base_flags, *flags])
        with pytest.raises(SystemExit):
            main()
        captured = capsys.readouterr()
        return captured.out + (captured.err if "--json" not in flags else "")

    return ask


def test_a_plan_names_trials_time_memory_disk_and_price(ask_plan: Ask) -> None:
    text = ask_plan("plan", "--rate", "3")
    for part in ("2 trials, 2 to run", "--executor local", "time:", "memory:", "disk:", "price:"):
        assert part in text


def test_a_dry_run_says_the_same_and_leaves_nothing_behind(ask_plan: Ask, tmp_path: Path) -> None:
    of_run: dict[str, Any] = json.loads(ask_plan("run", "--dry-run", "--json"))
    assert of_run == json.loads(ask_plan("plan", "--json"))
    assert of_run["pending"] == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "trials", "steps"),
    [
        ("experiment rosenbrock --quick", r"\d+ trials, \d+ to run", r"steps: at most [\d,]+;"),
        ("probe adamw --only dead_units", "3 trials, 3 to run", "steps: at most 1,800;"),
        ("calibrate --workload mlp --rerun --seeds 3 --baselines adamw", "3 trials", "steps:"),
    ],
)
def test_whatever_else_starts_trials_says_what_they_take(
    ask_plan: Ask, tmp_path: Path, command: str, trials: str, steps: str
) -> None:
    text = ask_plan(*command.split(), "--dry-run", base_flags=())
    assert re.search(trials, text)
    assert re.search(steps, text)
    assert "time:" not in text, "nobody plans the seconds of a step"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("executor", "order"),
    [("local", "one after the other"), ("slurm", "whose times are added up")],
)
def test_trials_are_in_a_row_only_where_the_executor_is_serial(
    ask_plan: Ask, executor: str, order: str
) -> None:
    assert f"2 to run, {order}, with --executor {executor}" in ask_plan(
        "plan", "--executor", executor
    )


def test_an_experiment_without_trials_has_none_to_plan(ask_plan: Ask) -> None:
    text = ask_plan("experiment", "projection", "--quick", "--dry-run", base_flags=())
    assert "trains nothing" in text


def test_an_unknown_executor_is_named(ask_plan: Ask) -> None:
    assert "unknown executor 'clouds'" in ask_plan("plan", "--executor", "clouds")
