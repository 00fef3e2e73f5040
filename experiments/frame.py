"""Convert records to the frame behind figures, tables and claims.

It has one row per evaluation and metric, the mean over the orders of examples if there are several,
with the columns `entry`, `variant`, `instance`, `point` (the swept values as text), one column per
swept hyperparameter, `state`, `step`, `time_s`, `metric` and `value`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from experiments.spec import Settings
from experiments.trials import PlacedTrial
from harness.plan.trial import TrialRecord
from harness.record.tables import all_evaluations

COLUMNS = ("entry", "variant", "instance", "point", "state", "step", "time_s", "metric", "value")
SPLITS = ("validation", "diagnostics")
"""The splits whose metrics share one column, as their names differ."""


def evaluations_frame(
    placed_trials: Sequence[PlacedTrial], records: Sequence[TrialRecord], store: Path
) -> pd.DataFrame:
    """All evaluations of an experiment's trials.

    Args:
        placed_trials: the trials with their places.
        records: their records, in the same order.
        store: the folder with their events.
    """
    names = dict.fromkeys(name for each in placed_trials for name in each.swept)
    rows = [
        row
        for each, record in zip(placed_trials, records, strict=True)
        for row in _rows(each, record, store)
    ]
    frame = pd.DataFrame(rows, columns=[*COLUMNS, *names])
    return _over_orders(frame) if any(each.order > 1 for each in placed_trials) else frame


def _over_orders(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per evaluation and metric with the mean over orders of examples; NaN if one of the
    values is NaN.
    """
    keys = [name for name in frame.columns if name not in ("state", "time_s", "value")]
    groups = frame.groupby(keys, sort=False, dropna=False)
    means = groups.agg(
        state=("state", "first"),
        time_s=("time_s", "mean"),
        value=("value", lambda values: values.mean(skipna=False)),
    )
    return means.reset_index()[list(frame.columns)]


def point_text(settings: Settings) -> str:
    """Swept values as text for figures and tables."""
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "as set"


def _rows(each: PlacedTrial, record: TrialRecord, store: Path) -> Iterator[dict[str, object]]:
    common: dict[str, object] = {
        "entry": each.entry,
        "variant": each.trial.variant,
        "instance": each.instance,
        "point": point_text(each.swept),
        "state": record.result.state if record.result else "unfinished",
        **each.swept,
    }
    for evaluation in all_evaluations(store / each.trial.folder):
        for split in SPLITS:
            for metric, value in evaluation.splits.get(split, {}).items():
                yield common | {
                    "step": evaluation.step,
                    "time_s": evaluation.timed_s,
                    "metric": metric,
                    "value": float("nan") if value is None else value,
                }
