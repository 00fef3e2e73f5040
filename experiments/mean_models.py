"""The mean of an entry's final models over several orders of examples, and its metrics.

With m_i the model after the branch with order i, L the measure's metric on the validation split,
and m* the mean model of the experiment's `reference`:

    mean_model   L(mean_i m_i)
    variance     mean_i L(m_i) - L(mean_i m_i)
    bias         L(mean_i m_i) - L(m*)

so that mean_i L(m_i) - L(m*) is bias plus variance: the decomposition of Dremov et al. (2025). They
are metrics after the last step, for each entry, variant, instance and point whose branches all
trained to their end.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.frame import point_text
from experiments.job import Job
from experiments.measures import TRAINED
from experiments.trials import PlacedTrial
from harness.execution.base import RunOptions
from harness.execution.branching import end_of
from harness.execution.resolved import evaluator_of, resolve_trial
from harness.frameworks.base import Evaluator
from harness.frameworks.load import evaluation_backend
from harness.plan.trial import TrialRecord
from harness.worker.checkpoint import unpack_state

Model = dict[str, npt.NDArray[np.float32]]
KEYS = ("entry", "variant", "instance", "point")
Key = tuple[str, str, int, str]
"""The key of a row in a frame, by `KEYS`."""


@dataclass(frozen=True)
class _Group:
    """The branches of one entry, variant, instance and point."""

    members: list[PlacedTrial]

    @property
    def key(self) -> Key:
        """Their place in a frame, by `KEYS`."""
        first = self.members[0]
        return first.entry, first.trial.variant, first.instance, point_text(first.swept)


def with_mean_models(
    evaluations: pd.DataFrame,
    job: Job,
    placed_trials: Sequence[PlacedTrial],
    records: Sequence[TrialRecord],
    options: RunOptions,
) -> pd.DataFrame:
    """The evaluations, followed by those of mean models if there are several orders.

    Args:
        evaluations: see `experiments.frame`.
        job: the experiment; its store has the final checkpoints of the branches.
        placed_trials: the trials with their places.
        records: their records, in the same order.
        options: threads and folders.

    Raises:
        HarnessError: the final checkpoint of a branch is missing.
    """
    if job.form.orders == 1:
        return evaluations
    groups = list(_complete_groups(placed_trials, records))
    own = dict(zip((group.key for group in groups), _values(groups, job, options), strict=True))
    metric = evaluations[evaluations["metric"] == job.experiment.measure.metric]
    last = metric.sort_values("step").drop_duplicates(list(KEYS), keep="last")
    places = last.to_dict("records")
    rows = [row for of in places for row in _rows(of, own, job.experiment.reference)]
    return pd.concat([evaluations, pd.DataFrame(rows, columns=evaluations.columns)])


def _complete_groups(
    placed_trials: Sequence[PlacedTrial], records: Sequence[TrialRecord]
) -> Iterator[_Group]:
    """The groups whose branches all trained to their end."""
    groups, failed_keys = dict[Key, _Group](), set[Key]()
    for each, record in zip(placed_trials, records, strict=True):
        key = _Group([each]).key
        groups.setdefault(key, _Group([])).members.append(each)
        if record.result is None or record.result.state not in TRAINED:
            failed_keys.add(key)
    yield from (group for key, group in groups.items() if key not in failed_keys)


def _values(groups: Sequence[_Group], job: Job, options: RunOptions) -> Iterator[float]:
    """The metric of each group's mean model on the validation split."""
    evaluators = dict[tuple[str, int], Evaluator]()
    for group in groups:
        first = group.members[0]
        place = first.trial.variant, first.instance
        if place not in evaluators:
            evaluators[place] = _evaluator(first, options)
        models = [_model(each, job) for each in group.members]
        metrics = evaluators[place].metrics(mean_model(models), "validation")
        yield metrics[job.experiment.measure.metric]


def mean_model(models: Sequence[Model]) -> Model:
    """The mean of each parameter and buffer."""
    stacks = {name: np.stack([model[name] for model in models]) for name in models[0]}
    return {
        name: stack.mean(0, dtype=np.float64).astype(np.float32) for name, stack in stacks.items()
    }


def _evaluator(placed_trial: PlacedTrial, options: RunOptions) -> Evaluator:
    trial = placed_trial.trial
    backend = evaluation_backend(trial.framework, trial.device, options.threads)
    backend.pin()
    return evaluator_of(resolve_trial(trial, options), backend)


def _model(placed_trial: PlacedTrial, job: Job) -> Model:
    """The model at the end of a branch."""
    end = end_of(placed_trial.trial, job.store)
    return unpack_state(end.state, end.tensors, lambda array, _: array)["model"]


def _rows(
    last: Mapping[Hashable, Any], means: Mapping[Key, float], reference: str
) -> Iterator[dict[str, object]]:
    """The further metrics of one group, from its last evaluation."""
    variant, instance = str(last["variant"]), int(last["instance"])
    key = str(last["entry"]), variant, instance, str(last["point"])
    if key not in means:
        return
    mean = means[key]
    metrics = {"mean_model": mean, "variance": last["value"] - mean}
    of_reference = [
        value for other, value in means.items() if other[:3] == (reference, variant, instance)
    ]
    if of_reference:
        metrics["bias"] = mean - of_reference[0]
    for metric, value in metrics.items():
        yield {**{str(name): one for name, one in last.items()}, "metric": metric, "value": value}
