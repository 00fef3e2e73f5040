import json
from pathlib import Path

import pandas as pd
import pytest

from harness.cli.compare import compare
from harness.cli.import_ import import_algoperf
from harness.cli.score import score
from harness.core.errors import HarnessError

from .made_logs import write_trial

RULES = """
base = ["w"]
[targets.w]
metric = "validation/accuracy"
direction = "maximize"
value = 0.5
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return str(path)


@pytest.fixture
def table(tmp_path: Path, rules: str) -> Path:
    logs = tmp_path / "logs"
    for submission, speed in (("fast", 1.0), ("slow", 2.0)):
        for study in range(3):
            time_s = (10.0 + study / 3) * speed
            place = f"{submission}/study_{study}/w_jax/trial_1"
            write_trial(logs, place, [(1, time_s / 2, 0.4), (2, time_s, 0.6)])
    import_algoperf(logs, rules=rules, out=tmp_path / "times.csv")
    return tmp_path / "times.csv"


def test_an_imported_table_is_scored_at_full_precision(
    table: Path, rules: str, tmp_path: Path
) -> None:
    score(times=table, rules=rules, json=tmp_path / "s.json", csv=tmp_path / "s.csv")
    document = json.loads((tmp_path / "s.json").read_text())
    # Ratio 2 lies under the 34th of 100 points from 1 to 4: (99 - 33 - 0.5 + 0.5) / 99 of them.
    assert document["scores"] == {"fast": 1.0, "slow": pytest.approx(2 / 3, abs=0.01)}
    assert document["median_times"]["fast"]["w"] == 10.0 + 1 / 3
    assert pd.read_csv(tmp_path / "s.csv")["submission"].tolist() == ["fast", "slow"]


def test_a_reference_that_no_entry_is_is_refused_by_name(table: Path, rules: str) -> None:
    with pytest.raises(HarnessError, match="unknown reference 'fsat'; did you mean 'fast'"):
        score(times=table, rules=rules, reference="fsat")


def test_both_or_neither_source_is_refused(table: Path, tmp_path: Path) -> None:
    for out, times in ((None, None), (tmp_path, table)):
        with pytest.raises(HarnessError, match="either a folder of records or a table"):
            score(out, times=times)


def test_a_folder_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"there is no folder.*\n.*harness run"):
        score(tmp_path / "none")


def test_a_comparison_says_who_is_faster(
    table: Path, rules: str, capsys: pytest.CaptureFixture[str]
) -> None:
    compare("fast", "slow", times=table, rules=rules)
    assert "fast is faster than slow: 2.0" in capsys.readouterr().out.replace("\n", " ")


def test_a_comparison_after_one_study_gives_the_ratio(
    table: Path, rules: str, capsys: pytest.CaptureFixture[str]
) -> None:
    times = pd.read_csv(table)
    times[times["study"] == "study_0"].to_csv(table, index=False)
    compare("fast", "slow", times=table, rules=rules)
    text = " ".join(capsys.readouterr().out.split())
    assert "screening: fast is 2.000 times as fast as slow in one study" in text


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"cannot read the table .*none\.csv"):
        score(times=tmp_path / "none.csv")
