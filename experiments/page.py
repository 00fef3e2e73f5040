"""The Markdown page of an experiment's results: what was run, the best points, each claim."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from experiments.claims import Finding, interval_of
from experiments.job import Job
from experiments.levels import levels_lines
from experiments.measures import mean
from experiments.spec import Form, Measure, Settings


def page(job: Job, best: pd.DataFrame, levels: pd.DataFrame, results: Sequence[Finding]) -> str:
    """The text of `findings.md`.

    Args:
        job: what was run.
        best: the trials of each entry and variant at its best point.
        levels: when they cross levels of the metric, see `experiments.levels`.
        results: a finding for each claim.
    """
    experiment, form = job.experiment, job.form
    measure = experiment.measure
    seeds = f"{form.instances} instances" if form.instances > 1 else "one instance"
    lines = [
        f"# {experiment.title}",
        "",
        f"Experiment `{job.name}`{_form_text(job)}; {_source_text(experiment.source)}.",
        "",
        experiment.question,
        "",
        f"`{form.workload}` of suite `{form.suite}` in {form.framework}, {form.steps} steps, "
        f"{seeds}. {_trunk_text(job)}Compared is {_measure_text(measure)}, at the best of the "
        f"swept points{', one for all variants' if measure.shared_point else ''}.",
        *(["", experiment.notes.strip()] if experiment.notes else []),
        "",
        f"![{experiment.title}](figure.svg)",
        "",
        *_table(best, form, measure),
        "",
        *_levels(job, levels),
        *_claims(results),
    ]
    return "\n".join(lines).rstrip() + "\n"


def summary(results: Sequence[Finding]) -> str:
    """The findings in a sentence."""
    verdicts = [finding.verdict for finding in results]
    counts = {v: verdicts.count(v) for v in ("held", "did not hold", "undecided", "not tested")}
    parts = [f"{count} {verdict}" for verdict, count in counts.items() if count]
    plural = "claim" if len(results) == 1 else "claims"
    return (
        f"Of {len(results)} {plural}: {', '.join(parts)}." if parts else "No claims are declared."
    )


def _form_text(job: Job) -> str:
    experiment = job.experiment
    is_small = job.form == experiment.quick != experiment.full
    return ", its quick form" if is_small else ""


def _source_text(source: str) -> str:
    return source if source.startswith("not in the thesis") else f"the thesis: {source}"


def _trunk_text(job: Job) -> str:
    """Where the entries start, if it is at a trunk's end."""
    trunk, form = job.experiment.trunk, job.form
    if trunk is None:
        return ""
    orders = f", in {form.orders} orders of examples, whose mean counts" if form.orders > 1 else ""
    return (
        f"Each entry begins where {form.trunk_steps} steps of `{trunk.submission}` ended{orders}. "
    )


def _measure_text(measure: Measure) -> str:
    metric = measure.metric.replace("_", " ")
    if measure.target is not None:
        return f"the number of steps to {metric} {measure.target:g} (fewer are better)"
    when = "after the last step" if measure.at == "end" else "at its best"
    geometric = "; means are geometric, and claims compare ratios" if measure.scale == "log" else ""
    return (
        f"{metric} {when} ({'lower' if measure.is_lower_better else 'higher'} is better{geometric})"
    )


def _table(best: pd.DataFrame, form: Form, measure: Measure) -> Iterator[str]:
    several = form.instances > 1
    name = measure.metric if measure.target is None else f"steps to {measure.target:g}"
    yield f"| variant | entry | best point | {name} |" + " 95 % interval |" * several
    yield "|---|---|---|---|" + "---|" * several
    for variant in form.variants:
        of_variant = best[best["variant"] == variant]
        groups = of_variant.groupby(["entry", "point"])["value"]
        rows = [(*map(str, key), list(values)) for key, values in groups]
        rows.sort(key=lambda row: mean(row[2], measure), reverse=not measure.is_lower_better)
        for entry, point, values in rows:
            low, high = interval_of(values, measure)
            cell = f" {low:.3g} to {high:.3g} |" if several else ""
            yield f"| {variant} | {entry} | {point} | {_number(values, measure)} |{cell}"


def _levels(job: Job, levels: pd.DataFrame) -> Iterator[str]:
    if levels.empty:
        return
    yield (
        "When each first gets there, in the median of the instances (how many do). Seconds are on "
        "the clock; they compare entries only if nothing else ran on the machine."
    )
    yield ""
    yield from levels_lines(job, levels)
    yield ""


def _number(values: Sequence[float], measure: Measure) -> str:
    number = mean(values, measure)
    return f"{number:.3g}" if math.isfinite(number) else "did not train to the end"


def _claims(results: Sequence[Finding]) -> Iterator[str]:
    if not results:
        return
    yield "## The thesis's claims"
    yield ""
    yield summary(results)
    yield ""
    for finding in results:
        yield f"- **{finding.verdict}**: {finding.claim.says} {_evidence(finding)}"


def _evidence(finding: Finding) -> str:
    claim = finding.claim
    if claim.untested:
        return f"({claim.untested})"
    own = _side(claim.entry, claim.metric, claim.when, claim.at)
    against = (
        f"{claim.bound:g}"
        if claim.bound is not None
        else _side(
            claim.other,
            claim.than_metric or claim.metric,
            claim.than_when or claim.when,
            claim.at if claim.than_at is None else claim.than_at,
            claim.than_variant,
        )
    )
    relation = claim.is_ if claim.margin is None else f"within {claim.margin:g} of"
    if claim.than_variant:
        own = f"{own} on {', '.join(claim.variants)}"
        return f"(tested: {own} {relation} {against}; {finding.evidence})"
    some = f"at least {claim.on} of " if claim.on else ""
    places = ", ".join(claim.variants) or ("the variants" if claim.on else "every variant")
    return f"(tested: {own} {relation} {against} on {some}{places}; {finding.evidence})"


def _side(entry: str, metric: str, when: float | None, at: Settings, variant: str = "") -> str:
    point = "".join(f" at {name} {value}" for name, value in at.items())
    of = f"{metric.replace('_', ' ')} of " if metric else ""
    after = f" after {100 * when:g} % of the steps" if when else ""
    where = f" on {variant}" if variant else ""
    return f"{of}`{entry}`{point}{after}{where}"
