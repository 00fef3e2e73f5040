"""MLflow: one run a trial. Its own variables say where to: `MLFLOW_TRACKING_URI`, a server, a
database or a folder, and `MLFLOW_EXPERIMENT_NAME`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from harness.record.trackers.base import PROJECT, TrackedRun

KEY = "guided_descent.key"
AT_ONCE = 1000
"""The most metrics that MLflow accepts in one call."""


def send(run: TrackedRun) -> None:
    """Send a run, replacing an earlier one of the same attempt."""
    client = MlflowClient()
    experiment_id = _experiment(client)
    for earlier in client.search_runs([experiment_id], f"tags.`{KEY}` = '{run.key}'"):
        client.delete_run(earlier.info.run_id)
    tags = {KEY: run.key, "group": run.group, **run.facts}
    mlflow_run = client.create_run(
        experiment_id, start_time=_milliseconds(run.begun_at), tags=tags, run_name=run.name
    )
    run_id = mlflow_run.info.run_id
    params = [Param(name, str(value)) for name, value in run.point.items()]
    client.log_batch(run_id, params=params)
    metrics = list(_metrics(run))
    for start in range(0, len(metrics), AT_ONCE):
        client.log_batch(run_id, metrics=metrics[start : start + AT_ONCE])
    status = "FINISHED" if run.is_success else "FAILED"
    client.set_terminated(run_id, status, end_time=_milliseconds(run.ended_at))


def _experiment(client: MlflowClient) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
    experiment = client.get_experiment_by_name(name)
    identity: str = experiment.experiment_id if experiment else client.create_experiment(name)
    return identity


def _metrics(run: TrackedRun) -> Iterator[Metric]:
    """All values, with the time of their training step."""
    begun_ms = _milliseconds(run.begun_at)
    for scalars in run.curves:
        at_ms = begun_ms + round(1e3 * scalars.timed_s)
        for name, value in scalars.values.items():
            if value is not None:
                yield Metric(name, value, at_ms, scalars.step)
    for name, value in run.summary.items():
        yield Metric(name, value, _milliseconds(run.ended_at), run.steps)


def _milliseconds(at: datetime) -> int:
    return round(1e3 * at.timestamp())
