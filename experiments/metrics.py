"""The metrics that an experiment's trials will have, known before any of them runs.

A metric that no trial has would otherwise show only after training: a measure by it ranks all
points alike, and a claim about it is undecided.
"""

from __future__ import annotations

from collections.abc import Iterator

from experiments.spec import Experiment, Form
from harness.core.errors import UnknownNameError
from harness.core.seeds import philox
from harness.frameworks.examples import ModelSource
from harness.frameworks.model_source import buffers_of, diagnostics_of, specs_of
from harness.plan.trial import Diagnostic
from harness.providers import registry
from workloads.losses import LOSSES
from workloads.parameters import initial_buffers, initial_parameters

NAMES: dict[Diagnostic, tuple[str, ...]] = {
    "training": ("train_loss", "gradient_norm", "gradient_norm_l1"),
    "weights": ("weight_norm",),
    "sharpness": ("sharpness",),
    "curvature": (
        "hessian_max", "hessian_min", "fisher_max", "gauss_newton_error", "fisher_error",
        "empirical_distance", "blocks_distance", "kfac_distance", "ekfac_distance",
        "shampoo_distance", "shampoo_squared_distance", "diagonal_distance",
    ),
}  # fmt: skip
"""What each diagnostic computes of every model; see `harness.referee.diagnostics`."""
OF_WEIGHTS = ("norm", "change", "overlap", "rank")
"""What `weights` computes of each weight, besides."""
OF_ORDERS = ("mean_model", "variance")
"""What `experiments.mean_models` computes where there are several orders."""
MEASURE = "value"
"""What a figure calls the measure."""


def check_metrics(experiment: Experiment, form: Form) -> None:
    """Check the names of all metrics in an experiment's measure, claims and figure.

    Raises:
        UnknownNameError: no trial of the form will have a metric of that name.
    """
    known = tuple(dict.fromkeys(known_metrics(experiment, form)))
    for name, place in _named_metrics(experiment):
        if name not in known:
            raise UnknownNameError(f"metric of {place}", name, known)


def known_metrics(experiment: Experiment, form: Form) -> Iterator[str]:
    """The metrics of a form's trials, on any of its variants."""
    workload = registry.workload(form.workload)
    size, loss = workload.at(form.suite), workload.spec.loss
    yield from LOSSES[loss].metrics
    for variant in form.variants:
        sizes = workload.sizes(form.suite, variant)
        source = ModelSource(workload.package, sizes, loss, size.precision)
        yield from _own_diagnostics(source)
        for name in experiment.diagnostics:
            yield from NAMES[name]
        if "weights" in experiment.diagnostics:
            weights = [name for name, spec in specs_of(source).items() if len(spec.shape) > 1]
            yield from (f"{kind}/{name}" for name in weights for kind in OF_WEIGHTS)
    if form.orders > 1:
        yield from OF_ORDERS
        yield from ("bias",) if experiment.reference else ()


def _own_diagnostics(source: ModelSource) -> Iterator[str]:
    """The names of the workload's own diagnostics, which are computed of initial parameters."""
    compute = diagnostics_of(source)
    if compute is not None:
        weights = initial_parameters(tuple(specs_of(source).values()), philox("", "weights"))
        yield from compute(weights | initial_buffers(tuple(buffers_of(source).values())))


def _named_metrics(experiment: Experiment) -> Iterator[tuple[str, str]]:
    yield experiment.measure.metric, "the measure"
    for claim in experiment.claims:
        for name in filter(None, (claim.metric, claim.than_metric)):
            yield name, f"the claim '{claim.says}'"
    for name in experiment.figure.metrics:
        if name != MEASURE:
            yield name, "the figure"
