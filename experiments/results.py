"""Write the results of an experiment: frames, figure and findings, each file atomically."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from experiments.claims import Finding, findings
from experiments.figures import KINDS, Drawing
from experiments.frame import evaluations_frame
from experiments.job import Job
from experiments.levels import levels_frame
from experiments.mean_models import with_mean_models
from experiments.measures import best_points, trials_frame
from experiments.page import page
from experiments.trials import PlacedTrial
from harness.core.errors import CannotWriteError
from harness.core.files import write_through, write_whole
from harness.execution.base import RunOptions
from harness.plan.trial import TrialRecord
from scoring.report.paper import encode

FIGURE_FORMATS = ("pdf", "svg", "png")


def write_results(
    job: Job,
    placed_trials: Sequence[PlacedTrial],
    records: Sequence[TrialRecord],
    options: RunOptions,
) -> tuple[Finding, ...]:
    """Write a job's `trials.csv`, `evaluations.csv`, `figure.*` and `findings.md` from its records.

    If its measure has levels, there is a `levels.csv`, too.

    Args:
        job: the experiment; its folder gets the files.
        placed_trials: the trials with their places.
        records: their records, in the same order.
        options: threads and folders, for evaluating mean models.

    Returns:
        A finding for each claim.

    Raises:
        CannotWriteError: a file cannot be written; the records are unchanged.
    """
    experiment = job.experiment
    evaluations = evaluations_frame(placed_trials, records, job.store)
    evaluations = with_mean_models(evaluations, job, placed_trials, records, options)
    trials = trials_frame(placed_trials, records, evaluations, experiment.measure)
    best = best_points(trials, experiment.measure)
    verdicts = findings(experiment.claims, trials, evaluations, experiment.measure)
    drawing = Drawing(experiment, evaluations, trials, best, job.form)
    write_whole(job.folder / "trials.csv", trials.to_csv(index=False))
    write_whole(job.folder / "evaluations.csv", evaluations.to_csv(index=False))
    write_figure(job.folder, KINDS[experiment.figure.kind](drawing))
    levels = levels_frame(job, best, evaluations)
    if not levels.empty:
        write_whole(job.folder / "levels.csv", levels.to_csv(index=False))
    write_whole(job.folder / "findings.md", page(job, best, levels, verdicts))
    return verdicts


def write_figure(folder: Path, figure: Figure) -> None:
    """Write `figure.*` in each format.

    Raises:
        CannotWriteError: a file cannot be written.
    """
    for format_ in FIGURE_FORMATS:
        path = folder / f"figure.{format_}"
        try:
            write_through(path, encode(figure, format_))
        except OSError as error:
            raise CannotWriteError(
                f"cannot write {path}: {error}",
                "free some space and run the same command again; finished trials are kept",
            ) from error
