"""Arguments of the command line: a message and an exit code, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cli.app import main
from harness.execution.base import RunOptions
from harness.execution.local import LocalExecutor
from harness.plan.trial import MachineSpeed, Trial, TrialRecord
from harness.runs import run as runs
from harness.speed import report as doctor
from tests.record.conftest import SampleStore
from workloads.spec import ReferenceSpeed

from .promptly import promptly

COMMANDS = (
    "run", "trial", "score", "report", "compare", "list", "data prepare", "calibrate", "verify",
    "rerun", "audit", "doctor --suite", "round new", "round reveal", "import algoperf",
)  # fmt: skip
OPTIONS = (
    "--workload", "--submission", "--suite", "--framework", "--ruleset", "--studies", "--trials",
    "--seed", "--out", "--device", "--sandbox", "--budget-scale", "--variant", "--threads",
    "--round", "--reason", "--trial", "--flagged", "--all", "--rules", "--times", "--clock",
    "--json", "--allow", "--folder", "--store", "--from", "--normalise", "--help",
    "--version",
)  # fmt: skip
# A name that stands for something would start a run, so no text here is one.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), max_size=12)
SPECIAL = ["@no", ".", "no/such/file", "x" * 5000, ""]
VALUE = TEXT.map(lambda text: f"no-{text}") | st.sampled_from(
    ["-1", "0", "nan", "inf", "1e999", *SPECIAL]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    command=st.sampled_from(COMMANDS),
    values=st.lists(VALUE, max_size=2),
    options=st.lists(st.tuples(st.sampled_from(OPTIONS), VALUE), max_size=4),
)
def test_any_arguments(
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    values: list[str],
    options: list[tuple[str, str]],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*command.split(), *values, *(word for option in options for word in option)]
    run_harness(words, monkeypatch, capsys)


def run_harness(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A result, or a message and an exit code."""
    monkeypatch.setattr(sys, "argv", ["harness", *words])
    code: object = 0
    try:
        with promptly():
            main()
    except SystemExit as end:
        code = end.code
    output = capsys.readouterr()
    assert code in (0, 1, 2, None)
    assert code in (0, None) or output.err
    assert "Traceback" not in output.err


def not_run(_: LocalExecutor, trials: Sequence[Trial], __: RunOptions) -> tuple[TrialRecord, ...]:
    """The records of trials of which none starts."""
    return tuple(TrialRecord(identity=trial.identity, trial=trial) for trial in trials)


SCORED = {"--rules": "guided-descent", "--clock": "steps", "--allow": "missing-studies"}
GOOD: dict[str, tuple[list[str], dict[str, str]]] = {
    "run": (
        [],
        {
            "--workload": "mlp", "--submission": "adamw", "--suite": "quick", "--out": "out",
            "--framework": "torch", "--ruleset": "self", "--studies": "1", "--trials": "1",
            "--seed": "x", "--device": "cpu", "--sandbox": "plain", "--budget-scale": "0.5",
            "--variant": "base", "--threads": "1", "--checkpoint-every": "1", "--data-dir": ".",
            "--set": "beta1=0.9",
        },
    ),
    "score": (
        ["STORE"],
        {**SCORED, "--resamples": "100", "--reference": "adamw", "--json": "s.json",
         "--csv": "s.csv"},
    ),
    "score ": ([], {"--times": "TABLE", **SCORED, "--resamples": "100", "--json": "s.json"}),
    "report": (["STORE"], {**SCORED, "--reference": "adamw", "--to": "r.html"}),
    "compare": (["a", "b"], {"--times": "TABLE", **SCORED}),
    "verify": (["STORE"], {"--round": "r.round.json", "--score": "s.json", "--all": ""}),
    "rerun": (["STORE"], {"--trial": "trial_1", "--flagged": "", "--reason": "x"}),
    "list": (["workloads"], {}),
    "round new": (["r"], {"--folder": "."}),
    "import algoperf": (["."], {"--rules": "algoperf-v0.5", "--out": "t.csv"}),
}  # fmt: skip
"""Arguments and options that fit; a flag has no value."""
NUMBERS = ["-1", "0", "1", "7", "nan", "inf", "-inf", "1e999", "1e-320", "9" * 400]
REFERENCE = ReferenceSpeed(step_s=0.001, startup_s=0.1)
SPEED = MachineSpeed(step_s=0.002, startup_s=0.1, reference=REFERENCE, spread=0.0, conditions="a")
TABLE = "submission,workload,study,time_to_target_s\na,w,1,2.5\nb,w,1,3.5\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_arguments_that_fit_but_for_a_few(
    sample: SampleStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    data: st.DataObject,
) -> None:
    monkeypatch.chdir(sample.store.parent)
    monkeypatch.setattr(LocalExecutor, "run", not_run)
    monkeypatch.setattr(runs, "rehearse", lambda *_: None)
    monkeypatch.setattr(runs, "machine_speed", lambda *_: None)
    monkeypatch.setattr(doctor, "measured_speed", lambda *_: SPEED)
    Path("times.csv").write_text(TABLE)
    command = data.draw(st.sampled_from(sorted(GOOD)))
    arguments, options = GOOD[command]
    dropped = data.draw(st.sets(st.sampled_from([*options, ""]), max_size=3))
    pairs = [pair for pair in options.items() if pair[0] not in dropped]
    words = [*arguments, *(word for pair in pairs for word in pair if word)]
    places = st.integers(0, max(0, len(words) - 1))
    for place in data.draw(st.lists(places, max_size=2)) if words else ():
        words[place] = data.draw(st.sampled_from([*NUMBERS, *SPECIAL]) | TEXT)
    named = {"STORE": str(sample.store), "TABLE": "times.csv"}
    run_harness([*command.split(), *(named.get(word, word) for word in words)], monkeypatch, capsys)
