"""docs/ORACLES.md has every submission, in words that are new and with tests that exist."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from harness.providers.registry import submission_folders

ROOT = Path(__file__).parents[2]
MODULE = runpy.run_path(str(ROOT / "docs" / "oracles.py"))
PAGE: str = MODULE["PAGE"].read_text()
FIGURES: dict[str, tuple[str, str]] = MODULE["read_figures"](PAGE, submission_folders())


def test_the_table_has_every_submission_and_a_figure_for_each_framework() -> None:
    assert FIGURES.keys() == submission_folders().keys(), "make oracles"
    for name, (in_torch, in_jax) in FIGURES.items():
        assert float(in_torch) >= 0.0
        assert bool(in_jax) is (submission_folders()[name] / "submission_jax.py").exists()


def test_all_but_its_figures_is_new() -> None:
    assert MODULE["with_table"](PAGE, FIGURES) == PAGE, "make oracles"


@pytest.mark.parametrize("name", submission_folders())
def test_the_tests_that_measure_exist(name: str) -> None:
    for test in MODULE["tests_of"](MODULE["read_oracles"]()[name]):
        file, _, function = test.partition("[")[0].partition("::")
        code = (ROOT / "tests" / "submissions" / file).read_text()
        assert f"\ndef {function}(" in code


def test_a_figure_is_the_largest_of_the_named_cases() -> None:
    by_node = {
        "tests/submissions/test_a.py::test_x[adam-1]": 2.04e-7,
        "tests/submissions/test_a.py::test_x[adam-2]": 1.0e-7,
        "tests/submissions/test_a.py::test_x[adamw-1]": 3.0e-7,
    }
    assert MODULE["largest"]("test_a.py::test_x[adam]", by_node) == "2e-7"
    assert MODULE["largest"]("test_a.py::test_x", by_node) == "3e-7"
    with pytest.raises(SystemExit, match="measured nothing"):
        MODULE["largest"]("test_a.py::test_y", by_node)
