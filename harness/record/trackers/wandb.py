"""Weights & Biases: one run a trial. Its own variables say where to (`WANDB_PROJECT`,
`WANDB_ENTITY`) and how (`WANDB_MODE=offline` writes below `./wandb`, for `wandb sync`).
"""

from __future__ import annotations

import os

import wandb

from harness.record.trackers.base import PROJECT, TrackedRun

QUIET = wandb.Settings(
    silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True
)
"""Disable statistics of this process, as the trial ran in another one."""


def send(run: TrackedRun) -> None:
    """Send a run; an interrupted one is continued."""
    wandb_run = wandb.init(
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        id=run.key,
        name=run.name,
        group=run.group,
        config={**run.facts, **run.point},
        resume="allow",
        settings=QUIET,
    )
    for scalars in run.curves:
        values = {"budget/timed_s": scalars.timed_s} | dict(scalars.values)
        wandb_run.log({k: v for k, v in values.items() if v is not None}, step=scalars.step)
    wandb_run.summary.update({**run.summary, "state": run.facts["state"]})
    wandb_run.finish(exit_code=0 if run.is_success else 1)
