from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from scoring.logs import study_times
from scoring.measurements import read_measurements
from scoring.rules import Rules, RuleTarget

from .made_logs import HEAD, Row, write_trial

TARGET = RuleTarget(metric="validation/accuracy", direction="maximize", value=0.5)
RULES = Rules(base=("w",), targets={"w": TARGET})
MISS = (1, 10.0, 0.4)


def times(root: Path, rules: Rules = RULES) -> list[tuple[str, float, float]]:
    table = study_times(root, rules)
    columns = (table["study"], table["time_to_target_s"], table["step_at_target"])
    return list(zip(*columns, strict=True))


def test_the_first_evaluation_at_the_target_gives_time_and_step(tmp_path: Path) -> None:
    rows = [MISS, (2, 20.0, 0.5), (3, 30.0, 0.4), (4, 5.0, 0.9)]
    write_trial(tmp_path, "s/study_0/w_jax/trial_1", rows)
    assert times(tmp_path) == [("study_0", 20.0, 2.0)]


def test_nan_and_empty_cells_never_meet_the_target(tmp_path: Path) -> None:
    rows: list[Row] = [(1, 10.0, "nan"), (2, 20.0, ""), (3, 30.0, 0.7)]
    write_trial(tmp_path, "s/study_0/w_jax/trial_1", rows)
    assert times(tmp_path) == [("study_0", 30.0, 3.0)]


def test_the_trial_with_the_smallest_evaluation_index_counts_not_the_fastest(
    tmp_path: Path,
) -> None:
    write_trial(tmp_path, "s/study_0/w_jax/trial_1", [MISS, (2, 11.0, 0.6)])
    write_trial(tmp_path, "s/study_0/w_jax/trial_2", [(1, 50.0, 0.6)])
    assert times(tmp_path) == [("study_0", 50.0, 1.0)]
    by_time = RULES.model_copy(update={"best_trial": "time"})
    assert times(tmp_path, by_time) == [("study_0", 11.0, 2.0)]


def test_equal_indices_are_settled_by_the_smaller_time(tmp_path: Path) -> None:
    for trial, time_s in ((1, 9.0), (2, 7.0), (10, 8.0)):
        write_trial(tmp_path, f"s/study_0/w_jax/trial_{trial}", [(trial, time_s, 0.6)])
    assert times(tmp_path) == [("study_0", 7.0, 2.0)]


def test_a_study_that_was_evaluated_but_never_reached_is_infinite(tmp_path: Path) -> None:
    write_trial(tmp_path, "s/study_0/w_jax/trial_1", [MISS])
    (tmp_path / "s/study_0/w_jax/trial_2").mkdir()
    assert times(tmp_path)[0][1] == np.inf


def test_a_study_without_an_evaluated_trial_is_nan(tmp_path: Path) -> None:
    write_trial(tmp_path, "s/study_0/w_jax/trial_1", [])
    (tmp_path / "s/study_1/w_jax/trial_1").mkdir(parents=True)
    assert [bool(np.isnan(time)) for _, time, _ in times(tmp_path)] == [True, True]


def test_misplaced_trials_extra_workloads_and_loose_files_are_passed_over(tmp_path: Path) -> None:
    write_trial(tmp_path, "s/study_0/w_jax/trial_1", [(1, 1.0, 0.6)])
    write_trial(tmp_path, "s/study_0/trial_1", [(1, 0.1, 0.6)])
    write_trial(tmp_path, "s/study_0/other_jax/trial_1", [(1, 0.1, 0.6)])
    write_trial(tmp_path, "s/study_0/w_jax/trial_old", [(1, 0.1, 0.6)])
    (tmp_path / "README.md").write_text("not a log")
    assert times(tmp_path) == [("study_0", 1.0, 1.0)]


def test_other_column_orders_quotes_and_line_ends_are_read(tmp_path: Path) -> None:
    head = ("validation/accuracy", "train/note", "score", "global_step")
    path = write_trial(tmp_path, "s/study_0/w_pytorch/trial_1", [(0.6, '"a,b"', 4.0, 3)], head)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert times(tmp_path) == [("study_0", 4.0, 3.0)]


def test_a_torn_last_row_loses_only_itself(tmp_path: Path) -> None:
    write_trial(tmp_path, "s/study_0/w_jax/trial_1", [(1, 4.0, 0.6), (2,)])
    assert times(tmp_path) == [("study_0", 4.0, 1.0)]


def test_a_metric_to_minimize_meets_its_target_from_above(tmp_path: Path) -> None:
    low = TARGET.model_copy(update={"direction": "minimize"})
    write_trial(tmp_path, "s/study_0/w_jax/trial_1", [(1, 1.0, 0.6), (2, 2.0, 0.5)])
    assert times(tmp_path, Rules(targets={"w": low})) == [("study_0", 2.0, 2.0)]


def test_a_file_without_the_time_is_named(tmp_path: Path) -> None:
    write_trial(tmp_path, "s/study_0/w_jax/trial_1", [(1, 0.6)], (HEAD[0], HEAD[2]))
    with pytest.raises(HarnessError, match=r"trial_1.* has no column 'score'"):
        study_times(tmp_path, RULES)


def test_a_folder_one_level_too_high_says_where_to_look(tmp_path: Path) -> None:
    write_trial(tmp_path, "external/s/study_0/w_jax/trial_1", [MISS])
    with pytest.raises(HarnessError, match=r"try .*external"):
        study_times(tmp_path, RULES)


def test_rules_without_targets_cannot_import(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no targets"):
        study_times(tmp_path, Rules())


def test_a_file_that_begins_with_an_empty_line_has_no_evaluations(tmp_path: Path) -> None:
    file = tmp_path / "eval_measurements.csv"
    file.write_bytes(b"\n3,7.5,\n")
    assert read_measurements(str(file), "accuracy") is None
