"""What nobody ran, what is there twice, and what no clock can read: refused or flagged by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.core.errors import HarnessError
from scoring.evaluate import score_results, score_table
from scoring.evidence import Evidence
from scoring.frame import prepare
from scoring.report.tables import trial_table
from scoring.rules import Rules, load_rules

from .made_frames import frame, row

SUITE = {"suite_workloads": "mlp, lm, rnn"}


def studies(trials: dict[str, int], **other: object) -> pd.DataFrame:
    """One study of each submission with a number of trials."""
    return pd.DataFrame(
        [
            row(name, "mlp", 1, 10.0 + trial, trial=trial, **other)
            for name, count in trials.items()
            for trial in range(1, count + 1)
        ]
    )


def table(times: dict[str, float], submissions: tuple[str, ...] = ("a", "b")) -> pd.DataFrame:
    rows = [(name, workload, "1", t) for name in submissions for workload, t in times.items()]
    return pd.DataFrame(rows, columns=["submission", "workload", "study", "time_to_target_s"])


def test_unequal_numbers_of_trials_are_refused_with_the_numbers() -> None:
    with pytest.raises(HarnessError, match=r"unequal-trials.*mlp: trials a study 1 \(a\); 4 \(b\)"):
        score_results(studies({"a": 1, "b": 4}))


def test_a_number_of_trials_that_is_not_the_rulesets_is_flagged() -> None:
    (flag,) = score_results(studies({"a": 24, "b": 24}, ruleset_trials=3)).flags
    assert flag.startswith("incomplete: 2 of 2 studies have another number of trials (24)")


@pytest.mark.parametrize("changes", [{}, {"identity": "e" * 64, "round": "e" * 64}])
def test_a_trial_that_is_there_twice_is_refused(changes: dict[str, str]) -> None:
    again = frame({("muon", "mlp"): [10.0]}, record="/copy", **changes)
    results = pd.concat([frame({("muon", "mlp"): [11.0]}), again])
    with pytest.raises(HarnessError, match=r"duplicate-trials.*trial 1 of study 1 of muon .*/copy"):
        score_results(results, allowed_rules=["mixed-rounds"])


def test_an_entry_that_searched_two_spaces_is_refused() -> None:
    results = frame({("muon", "mlp"): [10.0, 11.0]}).assign(space=["lr", "lr, decay"])
    with pytest.raises(HarnessError, match=r"mixed-spaces.*muon has lr .*; lr, decay"):
        score_results(results)


def test_a_package_that_was_not_there_yet_is_no_other_version() -> None:
    results = frame({("muon", "mlp"): [10.0, 11.0]})
    first, second = results["versions"].tolist()
    results = results.assign(versions=[f"{first}; jax 0.4.30", second])
    assert score_results(results).flags == ()


def test_a_workload_of_the_suite_that_nobody_ran_is_flagged() -> None:
    (flag,) = score_results(frame({("muon", "mlp"): [10.0], ("muon", "rnn"): [9.0]}, **SUITE)).flags
    assert flag.startswith("partial: nobody ran lm; a score of suite quick is over its 3")


@pytest.mark.parametrize("ran", [["w0"], ["w0", "w1"]])
def test_a_workload_that_the_rules_name_and_nobody_ran_is_refused(ran: list[str]) -> None:
    rules = Rules(base=("w0", "w1"), held_out={"w0_x": "w0"})
    times = table(dict.fromkeys(ran, 5.0))
    with pytest.raises(HarnessError, match=r"missing-workloads.*nobody ran .*w0_x"):
        score_table(times, rules)
    assert score_table(times, rules, allowed_rules=["missing-workloads"]).scores.max() < 1.0


def test_variants_without_their_base_are_refused_by_name() -> None:
    drawn = frame({("muon", "mlp"): [10.0], ("muon", "lm"): [9.0]}, variant="deep")
    both = pd.concat([drawn, frame({("muon", "lm"): [9.0]})], ignore_index=True)
    with pytest.raises(HarnessError, match=r"missing-workloads.*ran mlp, the base of mlp_de"):
        score_results(both)
    board = score_results(both, allowed_rules=["missing-workloads"])
    assert board.flags[0] == "missing-workloads: nobody ran mlp, the base of mlp_deep"
    with pytest.raises(HarnessError, match="only held-out variants: lm_deep, mlp_deep"):
        score_results(drawn, allowed_rules=["missing-workloads"])


def test_an_entry_without_a_study_is_named_where_the_rules_drop_it() -> None:
    times = pd.concat([table({"w0": 5.0, "w1": 6.0}, ("a",)), table({"w0": 5.0}, ("b",))])
    (flag,) = score_table(times, Rules(base=("w0", "w1"))).flags
    assert flag == "absent: b has no study of w1, which counts as not reached"


def test_in_a_table_the_gaps_of_a_third_entry_do_not_concern_two() -> None:
    times = pd.concat([table({"w0": 5.0, "w1": 6.0}, ("a", "b")), table({"w0": 5.0}, ("c",))])
    with pytest.raises(HarnessError, match="missing-studies"):
        score_table(times)
    assert score_table(times, entries=("a", "b")).times.submissions == ("a", "b")


@pytest.mark.parametrize("time_s", [0.0, 1e-320])
def test_a_time_that_no_clock_reads_is_refused(time_s: float) -> None:
    with pytest.raises(HarnessError, match=f"impossible-times.*: {time_s}"):
        score_results(frame({("muon", "mlp"): [time_s]}))
    with pytest.raises(HarnessError, match=f"impossible-times.*: {time_s}"):
        score_table(table({"w0": time_s}), load_rules())


def test_imported_trials_are_said_to_be() -> None:
    (flag,) = score_results(frame({("muon", "mlp"): [10.0]}, origin="imported")).flags
    assert flag == "imported: 1 of 1 trials were measured by others; no ledger has them"


def test_records_that_do_not_fit_are_flagged_and_missing_ones_refused() -> None:
    results, missing = frame({("muon", "mlp"): [10.0]}), ("mlp/muon-torch/study_1/trial_2",)
    (flag,) = score_results(results, evidence=Evidence(("a: b", "c: d"))).flags
    assert flag.startswith("unverified: 2 mismatches, the first: a: b")
    with pytest.raises(HarnessError, match=r"missing-records.*trial_2"):
        score_results(results, evidence=Evidence(missing_trials=missing))


def test_where_nothing_reached_the_best_trial_stands_for_its_study() -> None:
    near = [row("muon", "mlp", 1, np.inf, trial=n, best_metric=m) for n, m in ((1, 0.2), (2, 0.5))]
    assert trial_table(prepare(pd.DataFrame(near)))["counts"].tolist() == [False, True]
