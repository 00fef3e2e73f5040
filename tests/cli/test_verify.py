"""`harness verify`, `rerun` and `round` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import HarnessError
from tests.record.conftest import SampleStore


def harness(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.output


def test_a_whole_store_fits(tmp_path: Path) -> None:
    code, output = harness("verify", str(SampleStore(tmp_path / "store", grid=None).store))
    assert (code, "everything fits" in output) == (0, True)


def test_the_first_mismatch_is_named_and_the_exit_code_says_so(sample: SampleStore) -> None:
    path = sample.folder / "trial.json"
    path.write_text(path.read_text().replace('"steps": 1000', '"steps": 1001'))
    code, output = harness("verify", str(sample.store))
    assert code == 1
    assert "steps is 1001; the events say 1000" in output


def test_a_score_that_the_records_do_not_give_is_named(tmp_path: Path) -> None:
    sample = SampleStore(tmp_path / "store", grid=None)
    file, allowed = tmp_path / "score.json", ("missing-studies", "held-entries")
    flags = [part for name in allowed for part in ("--allow", name)]
    assert harness("score", str(sample.store), "--json", str(file), *flags)[0] == 0
    assert harness("verify", str(sample.store), "--score", str(file))[0] == 0
    score = json.loads(file.read_text())
    score["scores"] = dict.fromkeys(score["scores"], 0.5)
    file.write_text(json.dumps(score))
    code, output = harness("verify", str(sample.store), "--score", str(file))
    assert code == 1
    assert "'scores' is" in output


def test_a_rerun_is_said_at_the_next_verify(sample: SampleStore) -> None:
    flags = ("--trial", sample.folder.name, "--reason", "a test")
    assert "open again" in harness("rerun", str(sample.store), *flags)[1]
    sample.run()
    assert "1 reruns by command" in harness("verify", str(sample.store))[1]


def test_a_round_from_draw_to_check(sample: SampleStore, tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert harness("round", "new", "r", "--folder", folder)[0] == 0
    public, secret = f"{folder}/r.round.json", f"{folder}/r.secret.json"
    assert harness("round", "reveal", secret)[0] == 0
    code, output = harness("verify", str(sample.store), "--round", public)
    assert code == 1
    assert "not of this one" in output


def test_a_new_round_names_the_runs_of_base_and_drawn_architecture(tmp_path: Path) -> None:
    output = harness("round", "new", "r", "--folder", str(tmp_path))[1]
    command = f"  harness run --seed @{tmp_path}/r.secret.json"
    assert f"{command} ...\n{command} --variant drawn ...\n" in output


def test_a_folder_is_not_normalised_by_itself(sample: SampleStore) -> None:
    result = CliRunner().invoke(app, ["score", str(sample.store), "--normalise", str(sample.store)])
    assert isinstance(result.exception, HarnessError)
    assert "both folders are of machine" in result.exception.message


def test_the_folder_that_one_is_in_is_bundled_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SampleStore(tmp_path / "store", grid=None).store
    monkeypatch.chdir(store)
    code, output = harness("bundle", ".", "--out", "../store.tar.gz")
    assert code == 0, output
    code, output = harness("bundle", ".")
    assert (code, "store.tar.gz" in output) == (0, True)
