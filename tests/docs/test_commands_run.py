"""Every `harness` command of README and docs runs; those that would train are planned.

`harness run` gets `--dry-run`. What stands for the reader's own (OUT, LOGS, a bundle's number) is
put in its place. Commands that train and cannot be planned alone have other tests, named here.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.cli.boards import BoardFolder
from harness.plan.plan import PlanRequest, plan
from scoring.rules import load_rules
from tests.frameworks.algoperf_kit import TEXTS, location
from tests.kit import space, write_submission
from tests.record.conftest import GRID, SampleStore
from tests.scoring.made_logs import write_trial
from tests.tiers import nightly_but
from tests.workloads.cifar_made import write_folder
from workloads.data import cifar10
from workloads.spec import Grid

from .pages import ROOT, commands

PUBLISHING = (
    "harness bundle runs/mine --out mine.tar.gz",
    "harness verify mine.tar.gz",
    "harness board add mine.tar.gz --to board/",
    'harness board mark muon verified --to board/ --reason "rerun by the organisers"',
    "harness site mine.tar.gz theirs.tar.gz --out site/",
    "harness site board/ --out site/",
    'harness board add longer.tar.gz --to board/ --supersedes 0123456789ab --reason "longer"',
    'harness board withdraw 0123456789ab --to board/ --reason "measured under load"',
    "harness bundle runs/mine --out board/incoming/mine.tar.gz",
)
ROUND = (
    "harness round new 2026-12",
    "harness run --workload lm --submission adamw --seed @2026-12.secret.json --out OUT",
    "harness run --workload lm --submission adamw --seed @2026-12.secret.json --variant drawn "
    "--out OUT",
    "harness run --workload lm --submission muon --seed @2026-12.secret.json --out OUT",
    "harness run --workload lm --submission muon --seed @2026-12.secret.json --variant drawn "
    "--out OUT",
    "harness round reveal 2026-12.secret.json",
)
PUBLISHED = (
    "harness import algoperf LOGS --out FILE.csv",
    "harness score --times FILE.csv --rules algoperf-v0.5",
    "harness import algoperf LOGS --out DIR",
)
ELSEWHERE = {
    "harness audit": "reruns trials: tests/cli/test_audit.py",
    "harness check": "trains for seconds: tests/cli/test_new.py",
    "harness container build": "needs a Docker engine: tests/containers",
    "harness data prepare": "needs a network: tests/workloads/test_download.py",
    "harness experiment rosenbrock": "trains for minutes: tests/experiments/test_results.py",
    "harness new --workload": "tests/examples/test_workload_package.py",
    "harness probe": "trains for minutes: tests/experiments/test_probes.py",
    "harness run --submission adamw --workload NAME": "tests/examples/test_workload_package.py",
    "harness run --submission ./mine --sink": "needs trackers: tests/record/test_real_trackers.py",
    "harness verify OUT --round": "a whole round: tests/cli/test_drawn_round.py",
    "harness widths": "needs trials of several widths: tests/scoring/test_widths.py",
}
"""What the beginning of a command says, and what holds it instead."""


def is_elsewhere(line: str) -> bool:
    return any(line.startswith(beginning) for beginning in ELSEWHERE)


ALONE = [
    line
    for line in commands()
    if line.startswith("harness")
    and not is_elsewhere(line)
    and line not in (*PUBLISHING, *ROUND, *PUBLISHED)
]


ON_ALL = [line for line in ALONE if line.startswith("harness run") and "--workload" not in line]
"""These try a submission on all four workloads, which takes longest."""
AT_EACH_COMMIT = [line for line in ALONE if line not in ON_ALL]


def record(store: Path, submission: str, grid: Grid | None = GRID) -> None:
    """A store with an ended study of a submission on the instance of all others."""
    for trial in plan(PlanRequest("mlp", submission)).trials:
        sample = SampleStore.__new__(SampleStore)
        sample.store, sample.trial = store, trial.model_copy(update={"grid": grid or trial.grid})
        sample.run()


class Reader:
    """Who types commands in a folder where runs have been."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.words = {"OUT": "runs/quick", "A": "muon", "B": "adamw", "DIR": "imported"}
        write_submission(folder / "mine", declared=space(learning_rate=0.01))
        for submission in ("adamw", "muon"):
            record(folder / "runs/quick", submission)
        record(folder / "runs/mine", str(folder / "mine"), None)  # which `verify` asks for

    def type(self, line: str) -> str:
        """Run a command; what it prints."""
        words = [self.words.get(word, word) for word in shlex.split(line)[1:]]
        if words[0] == "run":
            words.append("--dry-run")
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{line}\n{result.output}"
        return result.output


@pytest.fixture
def reader(tmp_path: Path, data_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(data_cache))  # a machine is measured once
    return Reader(tmp_path)


@pytest.mark.parametrize("line", nightly_but(AT_EACH_COMMIT, ALONE))
def test_a_command_runs(reader: Reader, line: str) -> None:
    if not line.startswith("harness new"):
        write_submission(Path("my_method"), declared=space(learning_rate=0.01))
    for name in ("theirs", "imported"):
        Path(name).mkdir()
    reader.words["algoperf:FOLDER"] = location(reader.folder / "theirs", TEXTS["torch"])
    for name in ("tuning_search_space.json", "FILE.json"):
        Path(name).write_text('[{"learning_rate": 0.01}]')
    if "--data-dir DIR" in line:
        write_folder(Path("imported"), cifar10.BATCH_EXAMPLES)
    if "board.tar.gz" in line:
        reader.type("harness bundle runs/quick --out board.tar.gz")
    reader.type(line)


def test_a_bundle_is_published_as_the_page_says(reader: Reader) -> None:
    reader.type("harness bundle runs/quick --out theirs.tar.gz")
    reader.type("harness board add theirs.tar.gz --to board/")
    (Path("board") / "incoming").mkdir()
    record(reader.folder / "runs/quick", "sgd")
    reader.type("harness bundle runs/quick --out longer.tar.gz")
    for line in PUBLISHING:
        names = re.findall(r"\b[0-9a-f]{12}\b", line)
        reader.words |= dict(zip(names, BoardFolder(Path("board")).active(), strict=False))
        reader.type(line)


def test_a_round_goes_as_the_page_says(reader: Reader) -> None:
    for line in ROUND:
        reader.type(line)


def test_published_logs_are_scored_as_the_page_says(reader: Reader) -> None:
    for workload, target in load_rules("algoperf-v0.5").targets.items():
        for submission, time_s in (("fast", 1.0), ("slow", 2.0)):
            rows, head = [(1, time_s, target.value)], ("global_step", "score", target.metric)
            write_trial(Path("LOGS"), f"{submission}/study_0/{workload}_jax/trial_1", rows, head)
    for line in PUBLISHED:
        reader.type(line)


def test_what_is_listed_here_is_on_a_page_and_its_test_is_there() -> None:
    lines = commands()
    assert {*PUBLISHING, *ROUND, *PUBLISHED} <= set(lines)
    for beginning, reason in ELSEWHERE.items():
        assert any(line.startswith(beginning) for line in lines)
        assert all((ROOT / name).exists() for name in re.findall(r"tests/[\w/.]+", reason))
