"""Arguments of the command line: a message and an exit code, never a traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cli.app import main

COMMANDS = (
    "run", "trial", "score", "report", "compare", "list", "data prepare", "calibrate", "verify",
    "rerun", "audit", "doctor --suite", "round new", "round reveal", "import algoperf",
)  # fmt: skip
OPTIONS = (
    "--workload", "--submission", "--suite", "--framework", "--ruleset", "--studies", "--trials",
    "--seed", "--out", "--device", "--sandbox", "--budget-scale", "--variant", "--threads",
    "--round", "--reason", "--trial", "--disturbed", "--all", "--rules", "--times", "--clock",
    "--json", "--allow", "--folder", "--store", "--from", "--normalise", "--help",
    "--version",
)  # fmt: skip
# A name that stands for something would start a run, so no text here is one.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), max_size=12)
VALUE = TEXT.map(lambda text: f"no-{text}") | st.sampled_from(
    ["-1", "0", "nan", "inf", "1e999", "@no", ".", "no/such/file", "x" * 5000, ""]
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
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
    monkeypatch.setattr(sys, "argv", ["harness", *words])
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    shown = capsys.readouterr()
    assert code in (0, 1, 2, None)
    assert code in (0, None) or shown.err
    assert "Traceback" not in shown.err
