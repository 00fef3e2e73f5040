"""When each entry crosses levels of the measure's metric, such as an accuracy of 45 %."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from experiments.job import Job
from experiments.measures import TRAINED, crossing
from harness.providers.registry import workload

COLUMNS = ("variant", "entry", "instance", "level", "step", "time_s")


def levels_frame(job: Job, best: pd.DataFrame, evaluations: pd.DataFrame) -> pd.DataFrame:
    """One row per trial at an entry's best point and level, with the first crossing.

    Steps and seconds are interpolated linearly between two evaluations; they are infinite where the
    level is not crossed or the trial did not train to its end.

    Args:
        job: the experiment; its measure declares the levels.
        best: the trials of each entry and variant at its best point.
        evaluations: their evaluations, see `experiments.frame`.
    """
    measure = job.experiment.measure
    keys = ["entry", "variant", "instance", "point"]
    of_metric = evaluations[evaluations["metric"] == measure.metric].sort_values("step")
    by_trial = dict(list(of_metric.groupby(keys)))
    rises = measure.direction == "maximize"
    rows = []
    for trial in best[[*keys, "state"]].to_dict("records"):
        own = by_trial.get(tuple(trial[key] for key in keys), of_metric.iloc[:0])
        own = own if trial["state"] in TRAINED else own.iloc[:0]
        place = {key: trial[key] for key in ("variant", "entry", "instance")}
        for level in measure.levels:
            at = {
                name: crossing(own.set_index(name)["value"], level, rises=rises)
                for name in ("step", "time_s")
            }
            rows.append({**place, "level": level, **at})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def levels_lines(job: Job, levels: pd.DataFrame) -> Iterator[str]:
    """The Markdown table of the medians over instances; the fastest to the last level comes first,
    and among equals the fastest to the level before.
    """
    if levels.empty:
        return
    measure, epoch = job.experiment.measure, _steps_an_epoch(job)
    heads = " | ".join(f"{measure.metric.replace('_', ' ')} {level:g}" for level in measure.levels)
    yield f"| variant | entry | {heads} |"
    yield "|---|---|" + "---|" * len(measure.levels)
    for variant in job.form.variants:
        own = levels[levels["variant"] == variant]
        steps = own.groupby(["entry", "level"], sort=False)["step"].median().unstack()
        for entry in sorted(steps.index, key=lambda name: [*steps.loc[name]][::-1]):
            of_entry = own[own["entry"] == entry].groupby("level", sort=False)
            cells = [_cell(crossings, epoch) for _, crossings in of_entry]
            yield f"| {variant} | {entry} | {' | '.join(cells)} |"


def _cell(crossings: pd.DataFrame, epoch: float | None) -> str:
    """Median step, epoch and second, and how many instances cross the level."""
    step, seconds = crossings["step"].median(), crossings["time_s"].median()
    count = f"({int(np.isfinite(crossings['step']).sum())} of {len(crossings)})"
    if not math.isfinite(step):
        return f"- {count}"
    epochs = f", {step / epoch:.1f} epochs" if epoch else ""
    return f"{step:.0f} steps{epochs}, {seconds:.1f} s {count}"


def _steps_an_epoch(job: Job) -> float | None:
    """The number of steps in an epoch; None of a workload without data."""
    size = workload(job.form.workload).at(job.form.suite)
    steps = size.train_examples / size.batch_size
    return steps if steps > 1.0 else None
