from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from harness.analysis.scored import Source, load_board
from harness.cli.app import app
from harness.cli.import_records import import_records
from harness.core.errors import HarnessError
from harness.plan.trial import TrialRecord
from harness.record.store import EVENTS_FILE, read_record, record_paths, write_record
from harness.record.tables import curves_frame, results_frame
from scoring.logs import study_times
from scoring.rules import load_rules

from .made_logs import Row, write_trial

RULES = """
base = ["w"]
[held_out]
w_deep = "w"
[targets.w]
metric = "validation/accuracy"
direction = "maximize"
value = 0.5
[targets.w_deep]
metric = "validation/accuracy"
direction = "maximize"
value = 0.4
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return str(path)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    for submission, speed in (("fast", 1.0), ("slow", 1.7)):
        for place in ("w_jax", "w_deep_jax"):
            rows: list[Row] = [(1, speed, 0.3), (2, 2 * speed, "nan"), (3, 3 * speed, 0.6)]
            write_trial(tmp_path, f"logs/{submission}/study_0/{place}/trial_1", rows)
            # Faster by the clock, but at a later evaluation, so it is not the one that counts.
            late = [(n, 0.1 * n, 0.3) for n in range(1, 5)] + [(5, 0.5, 0.6)]
            write_trial(tmp_path, f"logs/{submission}/study_0/{place}/trial_2", late)
    return tmp_path / "logs"


def test_records_hold_trials_and_curves_with_origin_imported(
    logs: Path, rules: str, tmp_path: Path
) -> None:
    assert import_records(logs, rules, tmp_path / "store") == 8
    frame = results_frame(tmp_path / "store")
    assert set(frame["origin"]) == {"imported"}
    assert sorted(frame["variant"].unique()) == ["base", "deep"]
    curves = curves_frame(tmp_path / "store")
    assert len(curves) == 4 * 3 + 4 * 5
    assert curves["value"].isna().sum() == 4


def test_scores_of_records_are_those_of_the_table(logs: Path, rules: str, tmp_path: Path) -> None:
    import_records(logs, rules, tmp_path / "store")
    study_times(logs, load_rules(rules)).to_csv(tmp_path / "times.csv", index=False)
    records, _ = load_board(Source(tmp_path / "store", None, rules))
    table, _ = load_board(Source(None, tmp_path / "times.csv", rules))
    assert records.to_json()["scores"] == table.to_json()["scores"]
    assert records.medians.tolist() == table.medians.tolist()


def test_importing_again_changes_nothing(logs: Path, rules: str, tmp_path: Path) -> None:
    import_records(logs, rules, tmp_path / "store")
    first = results_frame(tmp_path / "store")
    import_records(logs, rules, tmp_path / "store")
    pd.testing.assert_frame_equal(first, results_frame(tmp_path / "store"))


def test_an_interrupted_import_is_completed(logs: Path, rules: str, tmp_path: Path) -> None:
    import_records(logs, rules, store := tmp_path / "store")
    first = results_frame(store)
    path = record_paths(store)[0]
    record = read_record(path)
    write_record(path.parent, TrialRecord(identity=record.identity, trial=record.trial))
    (events := path.parent / EVENTS_FILE).write_bytes(events.read_bytes().splitlines(True)[0])
    import_records(logs, rules, store)
    again, times = results_frame(store), ["begun_at", "ended_at"]
    pd.testing.assert_frame_equal(first.drop(columns=times), again.drop(columns=times))


def test_logs_without_an_evaluation_are_refused(rules: str, tmp_path: Path) -> None:
    write_trial(tmp_path, "logs/s/study_0/w_jax/trial_1", [])
    with pytest.raises(HarnessError, match="no evaluated trial"):
        import_records(tmp_path / "logs", rules, tmp_path / "store")


def test_a_suite_is_called_as_its_rules_in_full(logs: Path, rules: str, tmp_path: Path) -> None:
    versioned = tmp_path / "ours-v0.5.toml"
    versioned.write_text(Path(rules).read_text())
    import_records(logs, str(versioned), tmp_path / "store")
    assert set(results_frame(tmp_path / "store")["suite"]) == {"ours-v0.5"}


@pytest.mark.parametrize(("folder", "ruleset"), [("self_tuning", "self"), ("logs", "external")])
def test_logs_of_self_tuning_are_recorded_as_such(
    logs: Path, rules: str, tmp_path: Path, folder: str, ruleset: str
) -> None:
    words = ["import", "algoperf", str(logs.rename(tmp_path / folder)), "--rules", rules]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "store")])
    assert result.exit_code == 0, result.output
    assert set(results_frame(tmp_path / "store")["ruleset"]) == {ruleset}
