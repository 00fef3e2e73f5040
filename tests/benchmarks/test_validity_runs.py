"""Real runs behind tables in docs/SCORING.md: equal entries, and ports of one method."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from harness.submission.resolution import resolve

FOLDER = Path(__file__).parents[2] / "benchmarks"
PAGE = FOLDER.parent / "docs" / "SCORING.md"
HOUR_S = 3600.0


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("validity_runs")


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("validity_ports")


def test_the_two_names_have_the_content_of_what_ships(runs: ModuleType, tmp_path: Path) -> None:
    first, second = (resolve(str(copy)).ref for copy in runs.names_of("sgd", tmp_path))
    assert (first.name, second.name) == ("sgd_first", "sgd_second")
    assert first.content_hash == second.content_hash
    shipped = resolve("sgd").ref.content_hash
    assert first.content_hash[:32] == shipped[:32], "the half of its own files"


def test_every_pair_has_a_round_of_its_own(runs: ModuleType) -> None:
    rounds = list(runs.Design(submissions=("sgd", "muon"), pairs=10).rounds())
    assert [name for name, _ in rounds] == ["sgd", "muon"] * 5
    assert len({seed for _, seed in rounds}) == 10


def test_ports_run_in_turn(ports: ModuleType) -> None:
    runs = ports.LimitedRuns(Path("nowhere"), 0.0)
    plan_of = importlib.import_module("harness.plan.plan").plan
    runs.plan = plan_of
    plans = ports.Design(workloads=("small_mlp",)).plans(runs, "sgd")
    parts = [plan.trials[0] for plan in ports.in_turn(plans)]
    order = [(trial.study, trial.framework) for trial in parts]
    assert order == [(1, "torch"), (1, "jax"), (2, "jax"), (2, "torch")]


def test_nothing_is_begun_that_might_not_end_in_time(
    runs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_of = importlib.import_module("harness.plan.plan").plan
    monkeypatch.setattr(runs.LimitedRuns, "plan", lambda _, request: plan_of(request))
    assert not list(runs.run_pairs(runs.Design(pairs=1), tmp_path, 20.0))
    assert not (tmp_path / "records").exists()


@pytest.mark.system
def test_a_pair_that_ran_is_a_row(runs: ModuleType, tmp_path: Path) -> None:
    design = runs.Design(
        "landscapes", "noisy_quadratic", ("sgd",), pairs=1, trials=1, is_default_point=True
    )
    (pair,) = runs.run_pairs(design, tmp_path, HOUR_S)
    assert [trial.first_steps for trial in pair.trials] == [
        pytest.approx(trial.second_steps, rel=0.1) for trial in pair.trials
    ]
    machine = runs.this_machine([pair.hardware])
    table = runs.EqualRuns(
        suite="s", workload="w", is_default_point=True, machine=machine, pairs=(pair,)
    )
    text = "\n".join(runs.lines(table))
    assert "1 pairs of one submission under two names" in text
    assert "Of 2 trials" in text


@pytest.mark.system
def test_ports_that_ran_are_a_row(ports: ModuleType, tmp_path: Path) -> None:
    design = ports.Design(("sgd",), ("small_mlp",), studies=1)
    (row,) = ports.run_ports(design, tmp_path, HOUR_S)
    assert row.trials == 3
    assert row.both >= 2
    assert row.steps.low <= 1.0 <= row.steps.high
    table = ports.Ports(machine="this", workloads=design.workloads, rows=(row,))
    assert "| `sgd` | 3 |" in "\n".join(ports.lines(table))


@pytest.mark.parametrize("name", ["validity", "equal runs", "ports", "coverage"])
def test_the_page_has_the_marks(runs: ModuleType, tmp_path: Path, name: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    runs.show(["new"], name, page)
    assert f"<!-- {name}: begin -->\nnew\n<!-- {name}: end -->" in page.read_text(encoding="utf-8")
