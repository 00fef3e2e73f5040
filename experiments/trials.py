"""Make frozen trials from an experiment, each with its place in the experiment.

Every entry trains on the same instances, at every combination of its swept values, on every
variant. Budgets are in steps, evaluations are at equal distances, and no trial ends at a target.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from experiments.metrics import check_metrics
from experiments.spec import Entry, Experiment, Form, Settings
from harness.core.errors import HarnessError
from harness.core.seeds import instance_seed
from harness.frameworks.base import LARGEST_CURVATURE, SECOND_ORDER
from harness.frameworks.load import diagnostics_of
from harness.plan.plan import PlanRequest, trial_of, workload_at
from harness.plan.trial import Branch, Trial, TrialBudget
from harness.providers import registry
from harness.providers.table import FRAMEWORKS
from harness.submission.adjustment import adjust
from harness.submission.reference import Scalar
from harness.submission.resolution import ResolvedSubmission, resolve
from workloads.spec import Grid, SuiteWorkload

ROUND_SEED = "experiments"
BATCH_SIZE = "batch_size"
"""It can be swept although it is not a hyperparameter."""
HANG_LIMIT_S = 3600.0
"""The time limit for a worker that hangs; a trial that is counted in steps ends long before."""


@dataclass(frozen=True)
class PlacedTrial:
    """A trial and its place in an experiment.

    Args:
        trial: the frozen value.
        entry: the entry's name.
        swept: the swept values of its point.
        instance: the number of its seed, from 1.
        order: for a branch, the number of its order of examples.
    """

    trial: Trial
    entry: str
    swept: Settings
    instance: int
    order: int = 1


def plan_experiment(
    experiment: Experiment, form: Form, device: str = "cpu"
) -> tuple[PlacedTrial, ...]:
    """All trials of an experiment, grouped by instance and entry.

    Raises:
        UnknownNameError: a suite, workload, variant, submission, hyperparameter or metric is
            unknown.
        HarnessError: a submission is not written for the framework, or a diagnostic is not
            available.
    """
    _check_diagnostics(experiment, form)
    check_metrics(experiment, form)
    return tuple(
        placed_trial
        for instance in range(1, form.instances + 1)
        for entry in experiment.entries
        for placed_trial in _of_entry(experiment, form, entry, instance, device)
    )


def _check_diagnostics(experiment: Experiment, form: Form) -> None:
    asked_for = [name for name in experiment.diagnostics if name in SECOND_ORDER]
    diagnostics = diagnostics_of(form.framework) if asked_for else ()
    for name in asked_for:
        if name not in diagnostics:
            others = ", ".join(one for one in FRAMEWORKS.entry_points if one != form.framework)
            raise HarnessError(
                f"diagnostics has '{name}', which is not computed in {form.framework}",
                f"leave it out, or set another framework; known: {others}",
            )
    if "curvature" in asked_for:
        _check_curvature(form)


def _check_curvature(form: Form) -> None:
    workload = registry.workload(form.workload)
    for variant in form.variants:
        specs = workload.module("model").parameters(workload.at(form.suite).sizes_of(variant))
        count = sum(spec.size for spec in specs)
        if count > LARGEST_CURVATURE:
            raise HarnessError(
                f"diagnostics has 'curvature', and variant '{variant}' of {form.workload} has "
                f"{count} parameters",
                f"allowed: at most {LARGEST_CURVATURE}",
            )


def swept_points(entry: Entry, form: Form) -> tuple[Settings, ...]:
    """Every combination of an entry's swept values that a form tries."""
    values = [form.select(name, sweep) for name, sweep in entry.sweep.items()]
    return tuple(dict(zip(entry.sweep, row, strict=True)) for row in product(*values))


def select_rehearsals(placed_trials: tuple[PlacedTrial, ...]) -> Iterator[Trial]:
    """A few trials that show which values a submission refuses.

    They cover every value of every sweep; for numbers only the smallest and the largest, because
    what is allowed is a range.
    """
    ends = _ends(placed_trials)
    covered_values = set[tuple[str, str, Scalar]]()
    for each in placed_trials:
        triples = {(each.entry, name, value) for name, value in each.swept.items()}
        values = {one for one in triples if one[2] in ends.get(one[:2], (one[2],))}
        values = values or {(each.entry, "", "")}
        if not values <= covered_values:
            covered_values |= values
            yield each.trial


def _ends(placed_trials: tuple[PlacedTrial, ...]) -> dict[tuple[str, str], tuple[Scalar, Scalar]]:
    """The smallest and the largest value of each entry's numeric sweeps."""
    values = dict[tuple[str, str], set[Scalar]]()
    for each in placed_trials:
        for name, value in each.swept.items():
            values.setdefault((each.entry, name), set()).add(value)
    numbers = {
        key: sorted(value for value in swept_values if isinstance(value, int | float))
        for key, swept_values in values.items()
    }
    return {key: (of[0], of[-1]) for key, of in numbers.items() if len(of) == len(values[key])}


def _of_entry(
    experiment: Experiment, form: Form, entry: Entry, instance: int, device: str
) -> Iterator[PlacedTrial]:
    submission = _submission(experiment, form, entry)
    for variant in form.variants:
        request = _request(form, entry.submission, variant, device)
        size = workload_at(request)
        trunk = _trunk(experiment, form, instance, variant, device)
        for number, settings in enumerate(swept_points(entry, form), start=1):
            point = submission.space.default | _hyperparameters(settings)
            trial = trial_of(request, size, submission, point, (instance, number))
            changes = _in_steps(form, size, instance, entry.longer * form.steps)
            trial = trial.model_copy(update=changes | _measurements(experiment, settings))
            for order in range(1, form.orders + 1):
                plan_trial = trial if trunk is None else _branch(trial, trunk, entry, form, order)
                yield PlacedTrial(plan_trial, entry.name, settings, instance, order)


def trunks_of(placed_trials: tuple[PlacedTrial, ...]) -> tuple[Trial, ...]:
    """The trials that others branch off, each once."""
    branches = [each.trial.branch for each in placed_trials if each.trial.branch is not None]
    return tuple({branch.trunk.identity: branch.trunk for branch in branches}.values())


def _trunk(
    experiment: Experiment, form: Form, instance: int, variant: str, device: str
) -> Trial | None:
    """The trunk of all entries, on an instance and a variant."""
    trunk, steps = experiment.trunk, form.trunk_steps
    if trunk is None or steps is None:
        return None
    submission = resolve(trunk.submission)
    submission.require(form.framework)
    submission = adjust(submission, None, experiment.set | trunk.set)
    request = _request(form, trunk.submission, variant, device)
    size = workload_at(request)
    trial = trial_of(request, size, submission, submission.space.default, (instance, 1))
    changes = _in_steps(form, size, instance, steps) | _measurements(experiment, {})
    return trial.model_copy(update=changes | {"keeps_end": True})


def _branch(trial: Trial, trunk: Trial, entry: Entry, form: Form, order: int) -> Trial:
    """The trial as a branch of its trunk; with several orders it keeps its own end for averaging.

    Raises:
        HarnessError: it cannot branch off there.
    """
    branch = Branch(trunk=trunk, keeps=entry.keeps, order=order)
    try:
        branch.check(trial)
    except ValueError as error:
        raise HarnessError(f"entry '{entry.name}' cannot branch: {error}") from error
    return trial.model_copy(update={"branch": branch, "keeps_end": form.orders > 1})


def _request(form: Form, submission: str, variant: str, device: str) -> PlanRequest:
    return PlanRequest(
        workload=form.workload,
        submission=submission,
        suite=form.suite,
        framework=form.framework,
        round_seed=ROUND_SEED,
        variant=variant,
        device=device,
    )


def _submission(experiment: Experiment, form: Form, entry: Entry) -> ResolvedSubmission:
    """An entry's submission with its fixed hyperparameters; swept ones are checked as well."""
    submission = resolve(entry.submission)
    submission.require(form.framework)
    settings = experiment.set | entry.set
    for name in entry.sweep:
        if name in settings:
            raise HarnessError(
                f"entry '{entry.name}' sweeps '{name}', which is set as well",
                "leave it out of one of the two",
            )
    first = {name: values[0] for name, values in entry.sweep.items()}
    adjust(submission, None, _hyperparameters(first))
    return adjust(submission, None, settings)


def _hyperparameters(settings: Settings) -> Settings:
    """A point without the batch size, which belongs to the trial."""
    return {name: value for name, value in settings.items() if name != BATCH_SIZE}


def _measurements(experiment: Experiment, settings: Settings) -> dict[str, object]:
    return {"diagnostics": experiment.diagnostics, "batch_size": settings.get(BATCH_SIZE)}


def _grid(form: Form) -> Grid:
    """The points at which a trial is evaluated; every snapshot is."""
    if form.spacing == "equal":
        return Grid(even=form.points, look_from=1.0 / form.points, kept=1)
    first = Grid().first
    return Grid(ratio=first ** (-1.0 / (form.points - 1)), look_from=first, kept=1)


def _in_steps(form: Form, size: SuiteWorkload, instance: int, steps: int) -> dict[str, object]:
    """The fields in which an experiment's trial differs from a benchmark's."""
    seed = instance_seed(ROUND_SEED, form.suite, form.workload, instance, 1)
    return {
        "budget": TrialBudget(runtime_s=HANG_LIMIT_S, steps=steps),
        "stop_rule": "budget",
        "instance_seed": seed,
        "grid": _grid(form),
        "target": size.target,
    }
