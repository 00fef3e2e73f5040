"""`harness verify`, `rerun` and `round` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import HarnessError
from tests.record.conftest import Made


def harness(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "store")


def test_a_whole_store_fits(made: Made) -> None:
    code, shown = harness("verify", str(made.store))
    assert (code, "everything fits" in shown) == (0, True)


def test_the_first_misfit_is_named_and_the_exit_code_says_so(made: Made) -> None:
    path = made.folder / "trial.json"
    path.write_text(path.read_text().replace('"steps": 1000', '"steps": 1001'))
    code, shown = harness("verify", str(made.store))
    assert code == 1
    assert "steps is 1001; the events say 1000" in shown


def test_a_score_that_the_records_do_not_give_is_named(made: Made, tmp_path: Path) -> None:
    file, flags = tmp_path / "score.json", ("--allow", "missing-studies")
    assert harness("score", str(made.store), "--json", str(file), *flags)[0] == 0
    assert harness("verify", str(made.store), "--score", str(file))[0] == 0
    said = json.loads(file.read_text())
    said["scores"] = dict.fromkeys(said["scores"], 0.5)
    file.write_text(json.dumps(said))
    code, shown = harness("verify", str(made.store), "--score", str(file))
    assert code == 1
    assert "'scores' is" in shown


def test_a_rerun_is_said_at_the_next_verify(made: Made) -> None:
    flags = ("--trial", made.folder.name, "--reason", "a test")
    assert "open again" in harness("rerun", str(made.store), *flags)[1]
    made.run()
    assert "1 reruns by command" in harness("verify", str(made.store))[1]


def test_a_round_from_draw_to_check(made: Made, tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert harness("round", "new", "r", "--folder", folder)[0] == 0
    public, secret = f"{folder}/r.round.json", f"{folder}/r.secret.json"
    assert harness("round", "reveal", secret)[0] == 0
    code, shown = harness("verify", str(made.store), "--round", public)
    assert code == 1
    assert "not of this one" in shown


def test_a_folder_is_not_normalised_by_itself(made: Made) -> None:
    done = CliRunner().invoke(app, ["score", str(made.store), "--normalise", str(made.store)])
    assert isinstance(done.exception, HarnessError)
    assert "both folders are of machine" in done.exception.message
