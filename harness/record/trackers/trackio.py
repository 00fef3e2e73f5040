"""Trackio: one run a trial, in its local database (`TRACKIO_DIR`) or where `TRACKIO_SPACE_ID` or
`TRACKIO_SERVER_URL` say.
"""

from __future__ import annotations

import trackio

from harness.record.trackers.base import PROJECT, TrackedRun


def send(run: TrackedRun) -> None:
    """Send a run under a name unique to its attempt; an interrupted one is continued."""
    trackio_run = trackio.init(
        PROJECT,
        name=f"{run.name} ({run.key})",
        group=run.group,
        config={**run.facts, **run.point},
        resume="allow",
        embed=False,
        auto_log_gpu=False,
        auto_log_cpu=False,
    )
    for scalars in run.curves:
        values = {"budget/timed_s": scalars.timed_s} | dict(scalars.values)
        trackio_run.log({k: v for k, v in values.items() if v is not None}, step=scalars.step)
    trackio_run.log(dict(run.summary), step=run.steps)
    trackio_run.finish()
