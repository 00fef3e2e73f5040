"""What TensorBoard finds of a trial, read back by its own reader."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, metadata

from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Result, TrialRecord
from harness.record.schema import Begin, End, Resumed
from harness.record.sinks.tensorboard import TensorBoard
from harness.record.store import write_record
from tests.record.conftest import ENVIRONMENT, FILES, HARDWARE

TRIAL = plan(PlanRequest("mlp", "adamw", trials=1)).trials[0]


def begin() -> Begin:
    return Begin(
        identity=TRIAL.identity, attempt=1, submission_files=FILES, hardware=HARDWARE,
        fingerprint="0" * 64, environment=ENVIRONMENT, threads=1, sandbox="plain",
        unenforced=(), load_average=0.0,
    )  # fmt: skip


def read(folder: Path, state: str | None) -> EventAccumulator:
    """A trial's events, of one that ended in a state or is still running."""
    write_record(folder, TrialRecord(identity=TRIAL.identity, trial=TRIAL))
    sink = TensorBoard(folder / "tensorboard")
    sink.show(begin())
    if state is not None:
        result = Result.model_validate(
            {"state": state, "reason": "made", "timed_s": 2.5, "steps": 7, "best_metric": 0.5}
        )
        sink.show(End(result=result))
    sink.close()
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return events


def session(events: EventAccumulator, tag: str) -> bytes:
    content: bytes = events.SummaryMetadata(tag).plugin_data.content
    return content


def test_a_session_starts_with_every_hyperparameter_even_of_a_trial_that_never_ends(
    tmp_path: Path,
) -> None:
    events = read(tmp_path, None)
    start = metadata.parse_session_start_info_plugin_data(
        session(events, metadata.SESSION_START_INFO_TAG)
    )
    assert set(TRIAL.point) < set(start.hparams)
    assert start.hparams["submission"].string_value == "adamw"
    rate = start.hparams["learning_rate"].number_value
    assert math.isclose(rate, float(TRIAL.point["learning_rate"]))


def test_a_session_starts_anew_where_a_trial_is_resumed(tmp_path: Path) -> None:
    write_record(tmp_path, TrialRecord(identity=TRIAL.identity, trial=TRIAL))
    sink = TensorBoard(tmp_path / "tensorboard")  # as a dead referee's successor opens it
    sink.show(Resumed(after_seq=9, attempt=1, step=70, timed_s=1.5))
    sink.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    start = metadata.parse_session_start_info_plugin_data(
        session(events, metadata.SESSION_START_INFO_TAG)
    )
    assert set(TRIAL.point) < set(start.hparams)


@pytest.mark.parametrize(
    ("state", "status"),
    [("budget", "STATUS_SUCCESS"), ("crashed", "STATUS_FAILURE"), ("hung", "STATUS_FAILURE")],
)
def test_a_session_ends_with_its_metrics_failed_or_not(
    tmp_path: Path, state: str, status: str
) -> None:
    events = read(tmp_path, state)
    end = metadata.parse_session_end_info_plugin_data(
        session(events, metadata.SESSION_END_INFO_TAG)
    )
    assert end.status == api_pb2.Status.Value(status)
    values = {tag: events.Scalars(tag)[0].value for tag in events.Tags()["scalars"]}
    assert values == {"result/best_metric": 0.5, "result/timed_s": 2.5, "result/steps": 7.0}
