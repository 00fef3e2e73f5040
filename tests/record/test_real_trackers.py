"""Weights & Biases, MLflow and Trackio without a network, each read back by its own reader.

They are extras: a tracker that is not installed is not tested.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.runs.tracking import Outbox
from tests.record.conftest import SampleStore

METRIC = "validation/accuracy"


def send(sample: SampleStore, tracker: str) -> None:
    """Send the store's trial as a run does, in a process of its own."""
    if find_spec(tracker) is None:
        pytest.skip(f"{tracker} is not installed")
    output: list[str] = []
    Outbox(sample.store, [tracker], output.append, timeout_s=240.0).send([sample.trial])
    assert output == []


def test_mlflow_has_the_run_in_its_file_store(
    sample: SampleStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    send(sample, "mlflow")
    (values,) = tmp_path.glob(f"mlruns/*/*/metrics/{METRIC}")
    points = [line.split() for line in values.read_text().splitlines()]
    assert [int(step) for _, _, step in points] == [500, 600, 700, 1000]
    (rate,) = tmp_path.glob("mlruns/*/*/params/learning_rate")
    assert math.isclose(float(rate.read_text()), float(sample.trial.point["learning_rate"]))


def test_wandb_has_the_run_in_its_offline_folder(
    sample: SampleStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    send(sample, "wandb")
    (log,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = log.read_bytes()
    assert METRIC.encode() in content
    assert b"result/time_to_target_s" in content
    assert sample.trial.identity[:16].encode() in content


def test_trackio_has_the_run_in_its_local_database(
    sample: SampleStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    send(sample, "trackio")
    (database,) = tmp_path.glob("guided-descent*.db")
    assert METRIC.encode() in database.read_bytes()
