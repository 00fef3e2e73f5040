"""Bundles verify elsewhere; a board adds them whole or not at all, and keeps what it hides."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.cli.audit_subject import subject_of
from harness.cli.boards import BoardFolder
from harness.cli.bundles import MANIFEST, opened_store, unpack_bundle, write_bundle
from harness.cli.site_sources import read_sources
from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest, plan
from harness.record.tables import results_frame
from harness.submission.planned import locate
from harness.verification.audit import AuditedTrial, audit_trial
from harness.verification.store import verify_store
from tests.kit import write_submission
from tests.record.conftest import GRID, SampleStore


@pytest.fixture
def sample(tmp_path: Path) -> SampleStore:
    return SampleStore(tmp_path / "store")


@pytest.fixture
def archive(sample: SampleStore, tmp_path: Path) -> Path:
    write_bundle(sample.store, tmp_path / "mine.tar.gz", "0")
    return tmp_path / "mine.tar.gz"


def another(tmp_path: Path, submission: str) -> Path:
    """A bundle of another submission's trial on the same instance."""
    sample, name = SampleStore.__new__(SampleStore), Path(submission).name
    sample.store = tmp_path / f"store of {name}"
    (trial,) = plan(PlanRequest("mlp", submission, trials=1)).trials
    sample.trial = trial.model_copy(update={"grid": GRID})
    sample.run()
    write_bundle(sample.store, tmp_path / f"{name}.tar.gz", "0")
    return tmp_path / f"{name}.tar.gz"


def rewrite_bundle(archive: Path, change: dict[str, bytes]) -> Path:
    """A bundle with other files, under the manifest that it has."""
    with tarfile.open(archive) as old:
        contents = {e.name: file.read() for e in old if (file := old.extractfile(e))}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as new:
        for name, content in (contents | change).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            new.addfile(entry, io.BytesIO(content))
    path = archive.with_name("changed.tar.gz")
    path.write_bytes(gzip.compress(buffer.getvalue()))
    return path


def test_a_bundle_verifies_as_its_folder_does(archive: Path, sample: SampleStore) -> None:
    with ExitStack() as stack:
        assert verify_store(opened_store(archive, stack)).findings == ()
    of_bundle, of_folder = (
        CliRunner().invoke(app, ["verify", str(path)]) for path in (archive, sample.store)
    )
    assert of_bundle.output == of_folder.output
    assert of_bundle.exit_code == of_folder.exit_code


def test_the_same_records_make_the_same_bundle(
    sample: SampleStore, archive: Path, tmp_path: Path
) -> None:
    name = write_bundle(sample.store, tmp_path / "again.tar.gz", "0")
    assert (tmp_path / "again.tar.gz").read_bytes() == archive.read_bytes()
    assert len(name) == 64


def test_a_bundle_has_the_code_of_its_entries(
    archive: Path, tmp_path: Path, sample: SampleStore
) -> None:
    unpack_bundle(archive, tmp_path / "unpacked")
    code = tmp_path / "unpacked/submissions" / sample.trial.submission.content_hash
    assert (code / "space.toml").is_file()
    with ExitStack() as stack:
        detail = read_sources([archive], stack).material.entries
    assert "submission.py" in detail[sample.trial.submission.content_hash].files


@pytest.mark.parametrize("name", ["store/ledger.jsonl", "store/more.txt", "../out.txt", MANIFEST])
def test_a_bundle_that_was_changed_is_refused(archive: Path, name: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"bundle|manifest"), ExitStack() as stack:
        opened_store(rewrite_bundle(archive, {name: b"other"}), stack)
    assert not (tmp_path / "out.txt").exists()


def test_what_is_no_archive_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"no archive")
    with pytest.raises(HarnessError, match="is not a bundle"), ExitStack() as stack:
        opened_store(tmp_path / "x.tar.gz", stack)


def test_a_bundle_is_added_once_and_shown(archive: Path, tmp_path: Path) -> None:
    board = BoardFolder(tmp_path / "board")
    assert board.add(archive) is not None
    assert board.add(archive) is None
    result = read_sources([board.path], ExitStack()).material
    assert result.frame["submission"].tolist() == ["adamw"]
    assert result.changes[0].kind == "added"
    assert not list(board.path.glob(".draft-*"))


def test_records_that_do_not_fit_are_refused_by_name(sample: SampleStore, tmp_path: Path) -> None:
    path = sample.folder / "trial.json"
    path.write_text(path.read_text().replace('"trial": 1', '"trial": 2'))
    write_bundle(sample.store, tmp_path / "bad.tar.gz", "0")
    board = BoardFolder(tmp_path / "board")
    with pytest.raises(HarnessError, match="rule 'unverified'"):
        board.add(tmp_path / "bad.tar.gz")
    assert board.active() == {}


def test_a_folder_whose_first_bundle_is_refused_is_not_a_board(
    archive: Path, tmp_path: Path
) -> None:
    board = BoardFolder(tmp_path / "board")
    with pytest.raises(HarnessError, match="mixed-sweets"):
        board.add(archive, ("mixed-sweets",))
    assert not board.is_board
    board.add(archive)
    assert board.is_board


def test_what_does_not_fit_the_board_is_refused_by_the_rule(archive: Path, tmp_path: Path) -> None:
    board = BoardFolder(tmp_path / "board")
    board.add(archive)
    other = SampleStore.__new__(SampleStore)
    other.store = tmp_path / "jax"
    (other.trial,) = plan(PlanRequest("mlp", "adamw", framework="jax", trials=1)).trials
    other.run()
    write_bundle(other.store, tmp_path / "jax.tar.gz", "0")
    with pytest.raises(HarnessError, match="rule 'mixed-frameworks'"):
        board.add(tmp_path / "jax.tar.gz")
    assert len(board.active()) == 1
    board.add(tmp_path / "jax.tar.gz", ("mixed-frameworks",))
    assert read_sources([board.path], ExitStack()).allow == ("mixed-frameworks",)


def test_two_additions_at_once_lose_nothing(archive: Path, tmp_path: Path) -> None:
    board = BoardFolder(tmp_path / "board")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(board.add, [archive, another(tmp_path, "muon")]))
    assert sorted(name for event in board.active().values() for name in event.entries) == [
        "adamw", "muon",
    ]  # fmt: skip


def test_what_is_withdrawn_is_kept_and_the_reason_shown(archive: Path, tmp_path: Path) -> None:
    board = BoardFolder(tmp_path / "board")
    board.add(archive)
    (name,) = board.active()
    with pytest.raises(HarnessError, match="a reason is needed"):
        board.withdraw(name[:8], " ")
    board.withdraw(name[:8], "measured under load")
    assert board.active() == {}
    assert list(board.folder(name).rglob("events.jsonl"))
    material = read_sources([board.path], ExitStack()).material
    assert material.frame.empty
    assert material.changes[0].reason == "measured under load"
    (withdrawal,) = material.withdrawn
    assert (withdrawal.submission, withdrawal.reason) == ("adamw", "measured under load")


def test_a_bundle_takes_anothers_place(archive: Path, tmp_path: Path) -> None:
    board = BoardFolder(tmp_path / "board")
    board.add(archive)
    (old,) = board.active()
    shutil.copytree(tmp_path / "store", tmp_path / "store of muon")
    longer = another(tmp_path, "muon")
    with pytest.raises(HarnessError, match="rule 'duplicate-trials'"):
        board.add(longer)
    arguments = ["board", "add", str(longer), "--to", str(board.path), "--supersedes", old[:8]]
    assert isinstance(CliRunner().invoke(app, arguments).exception, HarnessError)
    assert list(board.active()) == [old]
    output = CliRunner().invoke(app, [*arguments, "--reason", "a longer run"]).output
    assert f"superseded {old[:8]}: it is kept and not shown" in output
    assert [event.entries for event in board.active().values()] == [("adamw", "muon")]
    assert list(board.folder(old).rglob("events.jsonl"))
    with pytest.raises(HarnessError, match="no bundle"):
        board.withdraw(old[:8], "again")


def test_a_shown_bundle_takes_anothers_place_and_never_its_own(
    archive: Path, tmp_path: Path
) -> None:
    board, other = BoardFolder(tmp_path / "board"), another(tmp_path, "muon")
    board.add(archive)
    board.add(other)
    old, new = board.active()
    with pytest.raises(HarnessError, match="cannot supersede itself"):
        board.add(other, supersedes=new[:8], reason="why")
    with pytest.raises(HarnessError, match="no bundle that is superseded"):
        board.add(other, reason="why")
    assert board.add(other, supersedes=old[:8], reason="why") is None
    assert list(board.active()) == [new]


def test_a_mark_is_of_a_content_that_is_shown(
    archive: Path, tmp_path: Path, sample: SampleStore
) -> None:
    board = BoardFolder(tmp_path / "board")
    board.add(archive)
    board.mark("adamw", "verified", "rerun by the organisers")
    frame = read_sources([board.path], ExitStack()).material.frame
    assert frame[["mark", "mark_reason"]].to_numpy().tolist() == [
        ["verified", "rerun by the organisers"]
    ]
    with pytest.raises(HarnessError, match="known: adamw"):
        board.mark("muon", "verified", "why")


def test_only_an_audit_and_a_withdrawal_give_the_marks_of_their_names(
    archive: Path, tmp_path: Path
) -> None:
    BoardFolder(tmp_path / "board").add(archive)
    for mark in ("audited", "withdrawn", "rerun"):
        arguments = ["board", "mark", "adamw", mark, "--to", str(tmp_path / "board")]
        result = CliRunner().invoke(app, [*arguments, "--reason", "why"])
        assert result.exit_code == 2
        assert "'self-reported', 'verified', 'held', 'disqualified'" in " ".join(
            result.output.replace("│", "").split()
        )


def test_what_is_disqualified_is_shown_with_its_evidence(
    archive: Path, sample: SampleStore, tmp_path: Path
) -> None:
    board, out = BoardFolder(tmp_path / "board"), tmp_path / "site"
    board.add(archive)
    board.add(another(tmp_path, "muon"))
    board.mark("adamw", "disqualified", "it ships weights")
    result = CliRunner().invoke(app, ["site", str(board.path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    front = (out / "quick-external/index.html").read_text()
    assert "disqualified: adamw is not ranked: it ships weights" in front
    assert "it ships weights" in (out / "quick-external/s/adamw.html").read_text()
    assert sample.trial.identity[:16] in (out / "quick-external/data/e/adamw.js").read_text()


def test_an_audit_of_a_board_is_kept_in_its_log(
    archive: Path, sample: SampleStore, tmp_path: Path
) -> None:
    board = BoardFolder(tmp_path / "board")
    board.add(archive)
    subject = subject_of(board.path)
    (record,) = subject.latest()
    rerun = record.model_copy(update={"trial": audit_trial(record.trial, "mine")})
    subject.note([AuditedTrial(record, rerun)])
    subject.note([AuditedTrial(record, rerun)])
    assert [audit.verdict for audit in board.audits()] == ["agrees"]
    assert subject.marks([AuditedTrial(record, rerun)]) == ["adamw is audited: 1 fresh instance"]


def test_an_authors_own_audit_proves_nothing_on_a_board(
    sample: SampleStore, tmp_path: Path
) -> None:
    subject = subject_of(sample.store)
    (record,) = subject.latest()
    rerun = record.model_copy(update={"trial": audit_trial(record.trial, "mine")})
    subject.note([AuditedTrial(record, rerun)])
    assert results_frame(sample.store)["mark"].tolist() == ["audited"]
    write_bundle(sample.store, tmp_path / "own.tar.gz", "0")
    board = BoardFolder(tmp_path / "board")
    board.add(tmp_path / "own.tar.gz")
    frame = read_sources([board.path], ExitStack()).material.frame
    assert frame["mark"].tolist() == ["self-reported"]


def test_code_that_came_with_a_bundle_is_audited_from_there(tmp_path: Path) -> None:
    folder = write_submission(tmp_path / "mine")
    archive = another(tmp_path, str(folder))
    board = BoardFolder(tmp_path / "board")
    board.add(archive)
    shutil.rmtree(folder)
    subject = subject_of(board.path)
    (record,) = subject.latest()
    trial = subject.locate(record.trial)
    assert trial.submission.location.startswith(str(board.path))
    assert locate(trial.submission, "torch").contents.keys() == {"submission.py", "space.toml"}
