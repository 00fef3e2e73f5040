"""`harness run` and `harness trial` on real, very short trials."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.record.store import read_record, record_paths
from harness.record.tables import results_frame
from tests.kit import write_submission

BASE = ("--workload", "mlp", "--budget-scale", "0.02", "--threads", "1")


@pytest.fixture(scope="module")
def environment(data_cache: Path) -> dict[str, str]:
    return os.environ | {"XDG_CACHE_HOME": str(data_cache), "COLUMNS": "80"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from harness.cli.app import main; main()", *arguments]


Process = subprocess.CompletedProcess[str]


class Harness:
    """The command inside this process, where frameworks and the workers' parent are there."""

    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capsys = patch, capsys

    def __call__(self, *arguments: str) -> Process:
        self._patch.setattr(sys, "argv", ["harness", *arguments])
        with pytest.raises(SystemExit) as error:
            main()
        output = self._capsys.readouterr()
        return Process(arguments, int(error.value.code or 0), output.out, output.err)


@pytest.fixture
def harness(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data_cache: Path
) -> Harness:
    monkeypatch.setenv("XDG_CACHE_HOME", str(data_cache))
    monkeypatch.setenv("COLUMNS", "80")
    return Harness(monkeypatch, capsys)


def states(store: Path) -> list[str | None]:
    records = [read_record(path) for path in record_paths(store)]
    return [record.result.state if record.result else None for record in records]


Ran = tuple[Path, tuple[str, ...], Process]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Ran:
    """A store after one run, the run's flags and what it showed."""
    store = tmp_path_factory.mktemp("store")
    flags = ("run", *BASE, "--submission", "adamw", "--trials", "1", "--out", str(store))
    process = subprocess.run(
        command(*flags), capture_output=True, text=True, check=False, env=environment
    )
    return store, flags, process


@pytest.mark.smoke
def test_a_run_ends_with_a_table(ran: Ran) -> None:
    store, _, process = ran
    assert process.returncode == 0, process.stderr
    for words in ("plan: 1 trial ", "unscored", "trial 1 of 1: budget", "learning_rate="):
        assert words in process.stdout
    assert max(map(len, process.stdout.splitlines()[:4])) <= 80
    assert states(store) == ["budget"]


def test_a_repetition_does_nothing(ran: Ran, harness: Harness) -> None:
    store, flags, _ = ran
    before = [path.stat().st_mtime_ns for path in sorted(store.rglob("*"))]
    assert "Everything is done" in harness(*flags).stdout
    assert before == [path.stat().st_mtime_ns for path in sorted(store.rglob("*"))]


def test_a_program_reads_the_records(ran: Ran, harness: Harness) -> None:
    _, flags, _ = ran
    process = harness(*flags, "--json")
    (record,) = json.loads(process.stdout)
    assert record["result"]["state"] == "budget"
    assert "Everything is done" in process.stderr


def test_several_workloads_are_planned_run_and_summed_up(tmp_path: Path, harness: Harness) -> None:
    flags = ("--submission", "sgd", "--trials", "1", "--set", "learning_rate=0.01")
    process = harness("run", *BASE, "--workload", "rnn", *flags, "--out", str(tmp_path))
    assert process.returncode == 0, process.stderr
    output = process.stdout
    words = ("sgd (torch) on rnn", "in all: 2 trials; at most ", "\non mlp\n", "\non rnn\n")
    assert sorted(words, key=output.index) == list(words)
    assert re.search(r"^rnn +0 of 1 +0 of 1 +-$", output, re.MULTILINE)
    records = [read_record(path) for path in record_paths(tmp_path)]
    assert [record.trial.point["learning_rate"] for record in records] == [0.01, 0.01]


def test_an_import_path_just_runs(tmp_path: Path, harness: Harness) -> None:
    flags = ("--submission", "torch.optim:Adagrad", "--trials", "1", "--out", str(tmp_path))
    process = harness("run", *BASE, *flags)
    assert process.returncode == 0, process.stderr
    assert states(tmp_path) == ["budget"]


def test_the_submission_in_the_readme_runs_and_is_scored(tmp_path: Path, harness: Harness) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    folder, store = tmp_path / "my_method", str(tmp_path / "store")
    folder.mkdir()
    for language, name in (("toml", "space.toml"), ("python", "submission.py")):
        shown_code = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
        assert shown_code is not None
        (folder / name).write_text(shown_code[1])
    allowed = ("--allow", "unscored-trials")
    for words in (
        ("run", *BASE, "--submission", str(folder), "--trials", "1", "--out", store),
        ("score", store, *allowed),
        ("report", store, *allowed),
    ):
        process = harness(*words)
        assert process.returncode == 0, process.stderr
    assert "my_method" in (tmp_path / "store" / "report.html").read_text()


def test_a_submission_that_does_not_import_shows_its_own_last_frame(
    tmp_path: Path, harness: Harness
) -> None:
    source = "import math\nvalue = math.no_such_thing\n"
    folder = write_submission(tmp_path / "broken", source)
    flags = ("--submission", str(folder), "--trials", "1", "--out", str(tmp_path / "store"))
    process = harness("run", *BASE, *flags)
    assert process.returncode == 2
    assert re.search(r"cannot train mlp .*no_such_thing.*submission.py:2 in ", process.stderr)
    assert "Traceback" not in process.stderr
    assert states(tmp_path / "store") == []


def test_the_body_runs_a_planned_trial(ran: Ran, tmp_path: Path, harness: Harness) -> None:
    (path,) = record_paths(ran[0])
    process = harness("trial", str(path), "--store", str(tmp_path), "--threads", "1")
    assert process.returncode == 0, process.stderr
    assert states(tmp_path) == ["budget"]
    assert read_record(path).identity == read_record(record_paths(tmp_path)[0]).identity


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A child inherits an ignored Ctrl-C, as in a background job; here it must hear it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_says_how_to_go_on(tmp_path: Path, environment: dict[str, str]) -> None:
    flags = ("run", "--workload", "mlp", "--submission", "adamw", "--trials", "1")
    running = subprocess.Popen(
        command(*flags, "--threads", "1", "--out", str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("trial 1"):
                break
        running.send_signal(signal.SIGINT)
        _, message = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "the same command goes on" in message
    assert "Traceback" not in message
    assert states(tmp_path) == [None]


def test_the_exit_code_says_that_no_trial_could_train(tmp_path: Path, harness: Harness) -> None:
    source = """
import time
import torch

class SlowToSay(RuntimeError):
    def __str__(self):
        time.sleep(0.5)  # a worker that was killed at its report would leave no traceback
        return "after its warm-up"

class Dies(torch.optim.SGD):
    def step(self, closure=None):
        self.steps = getattr(self, "steps", 0) + 1
        if self.steps > 3:
            raise SlowToSay
        return super().step(closure)

def build(problem, hyperparameters):
    return Dies(problem.parameters.values(), lr=0.1)
"""
    folder, store = write_submission(tmp_path / "mine", source), tmp_path / "store"
    flags = ("--submission", str(folder), "--trials", "1", "--out", str(store))
    process = harness("run", *BASE, *flags, "--budget-scale", "0.2")
    assert process.returncode == 3, process.stderr
    assert states(store) == ["crashed"]
    output = process.stdout.partition("the end of ")[2]
    assert "SlowToSay: after its warm-up" in output


def test_with_the_reference_adamw_runs_before_and_after(tmp_path: Path, harness: Harness) -> None:
    flags = ("--submission", "sgd", "--with-reference", "--trials", "1", "--out", str(tmp_path))
    process = harness("run", *BASE, *flags)
    assert process.returncode == 0, process.stderr
    assert "note: adamw runs before and after each study" in process.stdout
    frame = results_frame(tmp_path).sort_values("begun_at")
    assert frame["submission"].tolist() == ["adamw", "sgd", "adamw"]
    assert frame["budget_s"].nunique() == 1


@pytest.mark.parametrize(
    "flags", [("--until-settled", "adamw"), ("--executor", "pool"), ("--submission", "adamw")]
)
def test_what_cannot_have_the_reference_beside_it_is_refused(
    tmp_path: Path, harness: Harness, flags: tuple[str, str]
) -> None:
    own = ("--submission", "sgd", "--with-reference", "--out", str(tmp_path))
    process = harness("run", *BASE, *own, *flags, "--dry-run")
    assert process.returncode == 2
    assert "--with-reference runs" in process.stderr


def test_until_settled_runs_both_in_turn_and_says_the_verdict(
    tmp_path: Path, harness: Harness
) -> None:
    flags = ("--submission", "sgd", "--until-settled", "adamw", "--studies", "2", "--trials", "1")
    process = harness("run", *BASE, *flags, "--out", str(tmp_path), "--json")
    assert process.returncode == 0, process.stderr
    verdict = json.loads(process.stdout)
    assert (verdict["a"], verdict["b"], verdict["settled"]) == ("sgd", "adamw", False)
    assert "after 2 studies: no difference seen between sgd and adamw" in verdict["verdict"]
    trials = [read_record(path).trial for path in record_paths(tmp_path)]
    studies = [(trial.submission.name, trial.study) for trial in trials]
    assert sorted(studies) == [("adamw", 1), ("adamw", 2), ("sgd", 1), ("sgd", 2)]


@pytest.mark.parametrize(
    ("rival", "studies", "words"),
    [("adamw", "1", "is too few"), ("sgd", "4", "both submissions are called 'sgd'")],
)
def test_what_until_settled_cannot_settle_is_refused_before_it_trains(
    tmp_path: Path, harness: Harness, rival: str, studies: str, words: str
) -> None:
    flags = ("--submission", "sgd", "--until-settled", rival, "--studies", studies, "--dry-run")
    process = harness("run", *BASE, *flags, "--out", str(tmp_path))
    assert process.returncode == 2
    assert words in process.stderr
    assert states(tmp_path) == []
