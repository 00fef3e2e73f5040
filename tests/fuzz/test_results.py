"""Checkpoints, published logs, tables, scores, the machine's speed probe: no traceback, no hang."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.analysis.scored import read_table
from harness.cli.import_records import import_records
from harness.cli.verify_score import score_mismatch
from harness.plan.trial import MachineSpeed, Trial
from harness.protocol.messages import Snapshot
from harness.record.log import Event
from harness.record.plain import Line
from harness.record.schema import CheckpointWritten, TrialEvent
from harness.referee.checkpoint import CHECKPOINT_FILE, Checkpoints, read_checkpoint
from harness.referee.parts import Measurement
from harness.referee.target_search import HeldSnapshot, TargetSearch
from harness.speed import known_speeds
from scoring.evaluate import score_table
from scoring.logs import study_times
from scoring.rules import load_rules
from tests.record.conftest import SampleStore, beginning
from workloads.spec import ReferenceSpeed

from .mutations import DEEP, FUZZ, mutate, survives

REFERENCE = ReferenceSpeed(step_s=0.01, startup_s=0.1)
SPEED = MachineSpeed(step_s=0.02, startup_s=0.2, reference=REFERENCE, spread=0.0, conditions="a")

LOG = b"global_step,score,METRIC\n1,2.5,0.9\n2,5.0,0.1\n3,7.5,\n"
TABLE = b"submission,workload,study,time_to_target_s\na,w,1,2.5\nb,w,1,inf\nb,w,2,\n"


def checkpoint_of(trial: Trial, folder: Path) -> Path:
    """A checkpoint with one tensor of state."""
    checkpoints = Checkpoints(folder, trial, 0.0, 2**20)
    checkpoints.wanted_bytes(5, 1.0)
    state = {"state/0": np.zeros(3, np.float32)}
    checkpoints.without_state(Snapshot(step=1, state="{}"), state)
    search = TargetSearch(trial.grid, trial.target, lambda *_, **__: Measurement(0.0))
    snapshot = HeldSnapshot(5, 1, 1.0, 128, {})
    checkpoints.keep(snapshot, (1.0, {}), search, lambda *_: None)
    return folder / CHECKPOINT_FILE


@FUZZ
@given(st.data())
def test_checkpoints(shared_sample: SampleStore, tmp_path: Path, data: st.DataObject) -> None:
    whole = checkpoint_of(shared_sample.trial, tmp_path).read_bytes()
    content = data.draw(mutate(whole) | st.binary(max_size=100) | st.just(whole))
    digest = hashlib.sha256(content).hexdigest()
    times_written = CheckpointWritten(
        grid=5, step=1, timed_s=1.0, bytes=len(content), sha256=digest
    )
    payloads: list[TrialEvent] = [beginning(shared_sample.trial, 1), times_written]
    events: list[Event] = [Line(seq, "", "referee", one, "") for seq, one in enumerate(payloads)]

    def read(path: Path) -> None:
        path.rename(path.with_name(CHECKPOINT_FILE))
        checkpoint = read_checkpoint(path.parent, shared_sample.trial, events)
        assert checkpoint is not None or content != whole

    survives(read, content)


@FUZZ
@given(st.data())
@example(None)
def test_published_logs(data: st.DataObject | None) -> None:
    rules = load_rules("algoperf-v0.5")
    workload, target = next(iter(rules.targets.items()))
    whole = LOG.replace(b"METRIC", target.metric.encode())
    large = whole + b'4,"' + b"9" * 200_000 + b'",1\n'
    content = large if data is None else data.draw(mutate(whole) | st.binary(max_size=200))

    def read(path: Path) -> None:
        place = path.parent / "logs" / "entry" / "study_0" / f"{workload}_jax" / "trial_1"
        place.mkdir(parents=True)
        path.rename(place / "eval_measurements.csv")
        study_times(path.parent / "logs", rules)
        import_records(path.parent / "logs", "algoperf-v0.5", path.parent / "store")

    survives(read, content)


@FUZZ
@given(mutate(TABLE) | st.binary(max_size=200))
@example(b"")
@example(TABLE + b'a,w,3,"' + b"9" * 200_000 + b'"\n')
def test_tables_of_times(content: bytes) -> None:
    rules = load_rules("guided-descent")
    survives(lambda path: score_table(read_table(path), rules, "seconds", ()), content)


@pytest.fixture(scope="module")
def score(shared_sample: SampleStore, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What `harness score --json` writes of a store."""
    from typer.testing import CliRunner

    from harness.cli.app import app

    file = tmp_path_factory.mktemp("score") / "score.json"
    words = ["score", str(shared_sample.store), "--json", str(file), "--allow", "missing-studies"]
    assert CliRunner().invoke(app, words).exit_code == 0
    return file.read_bytes()


@FUZZ
@given(st.data())
@example(None)
def test_scores(shared_sample: SampleStore, score: bytes, data: st.DataObject | None) -> None:
    content = DEEP if data is None else data.draw(mutate(score) | st.binary(max_size=100))
    survives(lambda path: score_mismatch(shared_sample.store, path), content)


@FUZZ
@given(mutate(json.dumps({"a": SPEED.model_dump()}).encode()) | st.binary(max_size=100))
@example(DEEP)
@example(b"\xff")
def test_remembered_speeds(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as cache, pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_speeds, "default_cache_dir", lambda: Path(cache))

        def read(path: Path) -> None:
            path.rename(Path(cache) / "speed.json")
            speed = known_speeds.read_speed("a")
            assert speed is None or speed.budget_s(1.0) >= 0.0

        survives(read, content)
