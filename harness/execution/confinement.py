"""Builds the confinement of a trial's worker, for rehearsals and attempts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.execution.base import RunOptions
from harness.execution.devices import processes_of
from harness.execution.resolved import ResolvedTrial
from harness.sandboxes.base import Confinement
from harness.sandboxes.scratch import scratch as new_scratch
from harness.sandboxes.scratch import submission_copy
from harness.sandboxes.view import empty_view


@contextmanager
def new_confinement(
    resolved_trial: ResolvedTrial,
    options: RunOptions,
    log: Path,
    *,
    hidden_paths: tuple[Path, ...] = (),
    cores: tuple[int, ...] = (),
) -> Iterator[tuple[Confinement, Path]]:
    """A worker's confinement and the copy of its submission; its folders are removed afterwards.

    Args:
        resolved_trial: the trial with its workload, submission and data.
        options: sandbox, folders and threads of this machine.
        log: where the worker's output goes.
        hidden_paths: folders that it must not see, in addition to the instance's.
        cores: the cores that it is pinned to; empty for all.
    """
    trial, processes = resolved_trial.trial, processes_of(resolved_trial.trial)
    with (
        new_scratch() as scratch,
        submission_copy(resolved_trial.submission.contents) as copy,
        empty_view(resolved_trial.data) as view,
    ):
        confinement = Confinement(
            framework=trial.framework,
            threads=options.threads,
            memory_gib=processes.memory_gib,
            scratch=scratch,
            log=log,
            view=view,
            submission=copy,
            hidden_paths=(*hidden_paths, resolved_trial.data.parent),
            ranks=processes.ranks,
            cores=cores,
            computes_on_gpu=trial.device != "cpu",
            packages=resolved_trial.environment.packages,
        )
        yield confinement, copy
