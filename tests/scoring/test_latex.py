"""LaTeX tables of a scoreboard: its values, and no command of others."""

from __future__ import annotations

import numpy as np

from scoring.evaluate import score_results
from scoring.report.latex import escape, latex_tables

from .made_frames import frame


def rows(text: str) -> list[list[str]]:
    """The cells of all tables, line by line."""
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    return [line.removesuffix(r" \\").split(" & ") for line in lines]


def test_the_tables_have_scores_and_times_best_first() -> None:
    times = {("slow", "mlp"): [20.0], ("fast", "mlp"): [10.0], ("fast", "lm"): [np.inf]}
    text = latex_tables(score_results(frame(times | {("slow", "lm"): [30.0]})))
    assert rows(text)[0][:2] == ["submission", "score"]
    assert rows(text)[3:] == [
        ["submission", "lm", "mlp"],
        ["slow", r"\textbf{30}", "20"],
        ["fast", "--", r"\textbf{10}"],
    ]


def test_a_name_is_text_and_commands_nothing() -> None:
    assert escape("a_b & 50 % of $x$") == r"a\_b \& 50 \% of \$x\$"
    assert escape(r"\input{/etc/passwd}") == r"\textbackslash{}input\{/etc/passwd\}"
    assert "\n" not in escape("a\nb")
