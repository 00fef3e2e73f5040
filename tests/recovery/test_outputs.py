"""Full disks and places without rights, at what rounds, scores and reports write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.analysis.scored import Source
from harness.cli.import_ import import_algoperf
from harness.cli.report import write_report
from harness.cli.score import score
from harness.core.errors import HarnessError
from harness.plan.rounds import draw_round, read_round, reveal_round
from tests.record.conftest import SampleStore
from tests.scoring.made_logs import write_trial

from .test_writes import files_of

Write = Callable[[Path], object]
ALLOW = ["missing-studies"]


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Write]:
    """What writes a file, by the file's name."""
    store, logs = tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("logs")
    SampleStore(store)
    write_trial(logs, "entry/study_0/criteo1tb_jax/trial_1", [(1, 2.5, 0.1)])
    source = Source(store, None, "guided-descent", "seconds", tuple(ALLOW))
    return {
        "score.json": lambda path: score(store, allow=ALLOW, resamples=100, json=path),
        "score.csv": lambda path: score(store, allow=ALLOW, resamples=100, csv=path),
        "report.html": lambda path: write_report(source, "adamw", path),
        "times.csv": lambda path: import_algoperf(logs, rules="algoperf-v0.5", out=path),
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


NAMES = ["score.json", "score.csv", "report.html", "times.csv"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [0, 50])
def test_a_full_disk_leaves_what_was_written_before(
    writers: dict[str, Write],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    size: int,
) -> None:
    assert not capsys.readouterr().err  # what is shown goes into memory, which has no bound
    path = tmp_path / name
    path.write_text("before")
    with files_of(size), pytest.raises(HarnessError, match=f"cannot write .*{name}"):
        writers[name](path)
    assert path.read_text() == "before"
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("name", NAMES)
def test_a_place_that_cannot_be_written_is_a_message(
    writers: dict[str, Write], tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HarnessError, match=f"cannot write .*{name}"):
        writers[name](tmp_path / "file" / name)
    with pytest.raises(HarnessError, match="cannot write /proc"):
        writers[name](Path("/proc") / name)


@pytest.mark.parametrize("size", [0, 100, 200])
def test_a_round_that_does_not_fit_on_the_disk_is_not_drawn(tmp_path: Path, size: int) -> None:
    with files_of(size), pytest.raises(HarnessError, match="cannot write"):
        draw_round("r", tmp_path)
    assert names(tmp_path) == []
    draw_round("r", tmp_path)


def test_a_secret_without_its_commitment_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "r.round.json").mkdir()
    with pytest.raises(HarnessError, match=r"cannot write .*r.round.json"):
        draw_round("r", tmp_path)
    assert names(tmp_path) == ["r.round.json"]


def test_a_round_that_cannot_be_revealed_stays_as_it_was(tmp_path: Path) -> None:
    public, secret = draw_round("r", tmp_path)
    with files_of(100), pytest.raises(HarnessError, match="cannot write"):
        reveal_round(secret)
    assert read_round(public).seed is None
    assert read_round(reveal_round(secret)).seed == read_round(secret).seed
