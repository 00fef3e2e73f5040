"""A trial of a submission that is written for AlgoPerf, by the way that all trials go."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.plan.plan import PlanRequest
from harness.runs.run import run
from tests.frameworks.algoperf_kit import TEXTS, location

SPACE = '[{"learning_rate": 0.01}, {"learning_rate": 0.02}]'


def run_once(folder: Path, cache: Path, generation: str) -> str:
    framework = generation.partition("_")[0]
    request = PlanRequest(
        "mlp",
        location(folder / "mine", TEXTS[generation]),
        framework=framework,
        studies=1,
        trials=1,
        budget_scale=0.01,
    )
    (record,) = run(request, folder / "store", options=RunOptions(threads=1, cache_dir=cache))
    assert record.result is not None
    assert record.trial.submission.name.startswith("algoperf-")
    return record.result.state


@pytest.mark.parametrize("generation", ["torch", "jax_v05"])
def test_it_trains_till_its_budget_is_spent(
    tmp_path: Path, data_cache: Path, generation: str
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "tuning_search_space.json").write_text(SPACE)
    assert run_once(tmp_path, data_cache, generation) == "budget"


def test_without_its_search_space_it_is_refused_with_what_is_missing(
    tmp_path: Path, data_cache: Path
) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(HarnessError, match=r"no hyperparameter 'learning_rate'.*--space FILE.json"):
        run_once(tmp_path, data_cache, "torch")
