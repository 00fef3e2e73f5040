import numpy as np
import pandas as pd
import pytest

from harness.core.errors import HarnessError, UnknownNameError
from scoring.evaluate import score_results
from scoring.frame import prepare
from scoring.mixtures import frame_breaches
from scoring.studies import steps_beside

from .made_frames import Row, frame, row

GOOD = {("muon", "mlp"): [10.0, 11.0], ("adamw", "mlp"): [15.0, 16.0]}

BREACHES: dict[str, Row] = {
    "mixed-rounds": {"round": "e" * 64},
    "mixed-origins": {"origin": "imported"},
    "mixed-hardware": {"hardware": "box-2"},
    "mixed-devices": {"devices": 2},
    "mixed-threads": {"threads": "1"},
    "mixed-sandboxes": {"sandbox": "kernel"},
    "mixed-versions": {"versions": "python 3.11.2; torch 2.6.0"},
    "mixed-variables": {"variables": "OMP_NUM_THREADS=1"},
    "mixed-harnesses": {"harness_hash": "e" * 64},
    "mixed-budgets": {"budget_s": 70.0},
    "mixed-workloads": {"workload_hash": "b" * 64},
    "mixed-frameworks": {"framework": "jax"},
    "mixed-rulesets": {"ruleset": "self"},
    "mixed-suites": {"suite": "standard"},
    "unscored-trials": {"scored": False},
    "unfinished-trials": {"state": "unfinished", "time_to_target_s": np.nan},
}


def with_one_bad(rule: str) -> pd.DataFrame:
    return frame(GOOD).pipe(
        lambda trials: pd.concat(
            [trials, pd.DataFrame([row("sgd", "mlp", k, 30.0, **BREACHES[rule]) for k in (1, 2)])]
        )
    )


def test_good_results_are_scored_without_a_flag() -> None:
    assert score_results(frame(GOOD)).flags == ()


@pytest.mark.parametrize("rule", list(BREACHES))
def test_a_breach_is_refused_by_name_with_its_flag(rule: str) -> None:
    with pytest.raises(HarnessError, match=f"rule '{rule}'(.|\n)*--allow .*{rule}"):
        score_results(with_one_bad(rule))


@pytest.mark.parametrize("rule", list(BREACHES))
def test_an_allowed_breach_flags_the_scoreboard(rule: str) -> None:
    board = score_results(with_one_bad(rule), allowed_rules=[rule, "missing-studies"])
    assert any(flag.startswith(f"{rule}: ") for flag in board.flags)


@pytest.mark.parametrize("rule", list(BREACHES))
def test_a_breach_of_another_entry_does_not_concern_two(rule: str) -> None:
    board = score_results(with_one_bad(rule), entries=("muon", "adamw"))
    assert board.flags == ()
    assert [name.split()[0] for name in board.times.submissions] == ["adamw", "muon"]


@pytest.mark.parametrize("text", ["python 3; torch", "python  ;torch 2"])
def test_versions_of_any_form_are_refused_by_name(text: str) -> None:
    results = pd.concat([frame(GOOD), pd.DataFrame([row("sgd", "mlp", 1, 30.0, versions=text)])])
    with pytest.raises(HarnessError, match="rule 'mixed-versions'"):
        score_results(results)


def test_an_entry_that_is_not_there_names_all_that_are() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'muon'(.|\n)*adamw, muon"):
        score_results(frame(GOOD), entries=("muno", "adamw"))


def test_a_missing_study_is_refused_and_says_whose() -> None:
    results = frame({**GOOD, ("sgd", "mlp"): [20.0]})
    with pytest.raises(HarnessError, match=r"missing-studies.*sgd lacks 1 of mlp"):
        score_results(results)
    board = score_results(results, allowed_rules=["missing-studies"])
    assert np.isinf(board.medians[board.times.index("sgd"), 0])


def test_entries_of_several_frameworks_carry_their_framework() -> None:
    board = score_results(with_one_bad("mixed-frameworks"), allowed_rules=["mixed-frameworks"])
    assert board.times.submissions == ("adamw (torch)", "muon (torch)", "sgd (jax)")


def test_a_suite_may_have_workloads_for_two_kinds_of_machine() -> None:
    of_a_processor = {"meant_for": "two x86-64 cores", "hardware": "box-2", "threads": "8"}
    rows = [row(name, "mlp", 1, 2.0, **of_a_processor) for name in ("adamw", "muon")]
    others = frame({(name, "lm"): [3.0] for name in ("adamw", "muon")}, meant_for="")
    assert frame_breaches(prepare(pd.concat([pd.DataFrame(rows), others]))) == []
    rows[1]["hardware"] = "box-3"
    (breach,) = frame_breaches(prepare(pd.concat([pd.DataFrame(rows), others])))
    assert breach.rule == "mixed-hardware"
    assert breach.detail.endswith("on workloads for two x86-64 cores")


def test_an_unknown_rule_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'mixed-hardware'"):
        score_results(frame(GOOD), allowed_rules=["mixed-hardwares"])


def test_a_frame_without_a_column_or_a_trial_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"lack the column.*identity"):
        score_results(frame(GOOD).drop(columns="identity"))
    with pytest.raises(HarnessError, match="no trial to score"):
        score_results(frame(GOOD).iloc[:0])


def test_two_refusals_are_two_lines_and_no_value_adds_one() -> None:
    results = with_one_bad("mixed-threads").assign(sandbox=["plain"] * 5 + ["a\nforged"])
    with pytest.raises(HarnessError) as error:
        score_results(results)
    refusals = str(error.value).splitlines()
    assert [line.split("'")[1] for line in refusals[:-1]] == ["mixed-sandboxes", "mixed-threads"]
    assert refusals[-1] == (
        "  to score all the same, flagged as such: --allow mixed-sandboxes --allow mixed-threads"
    )


def test_a_copied_trial_that_is_allowed_is_scored_by_steps_too() -> None:
    whole = frame(GOOD)
    copied = pd.concat([whole, whole.iloc[:1].assign(record="/copy")], ignore_index=True)
    board = score_results(copied, allowed_rules=["duplicate-trials"])
    steps = steps_beside(prepare(copied), board.clock)
    assert steps.hit[1, 0].tolist() == [1000.0, 1100.0]
