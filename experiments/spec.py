"""The declaration of an experiment, as frozen values."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from harness.plan.trial import Diagnostic
from harness.providers.table import DEFAULT_FRAMEWORK
from harness.submission.reference import Framework, Scalar
from workloads.spec import Count, Fraction, Frozen, Positive

Settings = dict[str, Scalar]
Sweep = dict[str, Annotated[tuple[Scalar, ...], Field(min_length=1)]]


class Form(Frozen):
    """Where and how long an experiment trains, in its full or its quick form."""

    suite: str
    workload: str
    framework: Framework = DEFAULT_FRAMEWORK
    variants: Annotated[tuple[str, ...], Field(min_length=1)] = ("base",)
    """Variants of the workload; each entry trains on each of them."""
    instances: Count = 1
    """The number of seeds; all entries train on the same instances."""
    steps: Count
    points: Count = 50
    """The number of evaluations of a trial; the last one is after the last step."""
    spacing: Literal["equal", "geometric"] = "equal"
    """The distances between them: equal, or each a fixed ratio later, from half a percent on."""
    every: Count | dict[str, Count] = 1
    """Only every n-th value of a sweep is tried, from the first on; a table gives n by
    hyperparameter.
    """
    trunk_steps: Count | None = None
    """Training steps of the trunk, if there is one."""
    orders: Count = 1
    """The number of orders of examples in which each entry trains on an instance; results are means
    over them.
    """

    def select(self, name: str, values: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
        """The values of a sweep that this form tries."""
        every = self.every if isinstance(self.every, int) else self.every.get(name, 1)
        return values[::every]

    @model_validator(mode="after")
    def _has_a_step_for_each_point(self) -> Self:
        if self.points > self.steps:
            raise ValueError(f"points is {self.points}, but there are only {self.steps} steps")
        if self.spacing == "geometric" and (self.points < 9 or self.steps < 200):
            raise ValueError(
                f"points is {self.points} and steps {self.steps}; spacing = 'geometric' needs at "
                "least 9 points, the first after half a percent of the steps, and 200 steps"
            )
        return self


class Entry(Frozen):
    """A submission with some hyperparameters set and others swept."""

    submission: str
    label: str = ""
    """The name in figures and tables; by default the submission's."""
    set: Settings = Field(default_factory=dict)
    sweep: Sweep = Field(default_factory=dict)
    """Every combination of these values is tried. `batch_size` can be swept too, although it is not
    a hyperparameter.
    """
    keeps: Literal["state", "weights"] = "state"
    """What the entry keeps of the trunk, if there is one: see `harness.plan.trial.Branch`."""
    longer: Count = 1
    """A factor on the form's number of steps."""

    @property
    def name(self) -> str:
        """Its label, or else the submission's name."""
        return self.label or self.submission


class Trunk(Frozen):
    """A shared run that every entry continues from, on the same instance."""

    submission: str
    set: Settings = Field(default_factory=dict)


class Measure(Frozen):
    """The value by which trials are compared and an entry's best point is chosen."""

    metric: str
    """A metric of the validation split, or one of the diagnostics."""
    direction: Literal["minimize", "maximize"]
    """Whether lower or higher values of the metric are better."""
    at: Literal["end", "best", "target"] = "end"
    """The value after the last step, the best of all evaluations, or the steps to `target`."""
    target: float | None = None
    """The value of the metric to reach; steps are interpolated between two evaluations."""
    scale: Literal["linear", "log"] = "linear"
    """With `log`, for positive numbers over several orders of magnitude, means over instances are
    geometric, and claims compare ratios.
    """
    levels: tuple[float, ...] = ()
    """Values of the metric of which the page says when each entry first crosses them."""
    shared_point: bool = False
    """Whether an entry has a single best point for all variants, that with the best mean rank,
    instead of one per variant.
    """

    @property
    def is_lower_better(self) -> bool:
        """Whether a smaller number is better: of a loss, and of steps."""
        return self.direction == "minimize" or self.at == "target"

    @model_validator(mode="after")
    def _has_a_worst_value_on_its_scale(self) -> Self:
        if self.scale == "log" and not self.is_lower_better:
            raise ValueError(
                "scale is 'log' and higher is better; 'log' is for measures to be minimised"
            )
        return self

    @model_validator(mode="after")
    def _has_a_target(self) -> Self:
        if (self.at == "target") != (self.target is not None):
            raise ValueError("'target' is required with at = 'target', and not allowed otherwise")
        return self


class Figure(Frozen):
    """The figure to draw; `experiments.figures` has the kinds."""

    kind: Literal["paths", "curves", "ranks", "sweep"]
    metrics: tuple[str, ...] = ()
    """One row of panels per metric; by default only the measure. In a `sweep`, values after the
    last step at the point that is best by the measure.
    """
    over: str = ""
    """For `sweep`: the swept hyperparameter on the horizontal axis, or `variant`."""
    lines: str = "entry"
    """What gets one line each: `entry`; in `curves` also `metric`, in a `sweep` also `variant` or
    another swept hyperparameter.
    """
    panels: Literal["entry", "variant"] = "variant"
    """What gets one panel each, unless it is on the horizontal axis."""
    names: dict[str, str] = Field(default_factory=dict)
    """The displayed names of variants, metrics and the swept axis, if their own say too little."""

    @model_validator(mode="after")
    def _sweep_has_an_axis(self) -> Self:
        if (self.kind == "sweep") != bool(self.over):
            raise ValueError("'over' is required with kind = 'sweep', and not allowed otherwise")
        if self.panels == self.lines:
            raise ValueError(f"lines and panels are both '{self.lines}'")
        return self


class Claim(Frozen):
    """A finding of the thesis, and the result here that would confirm it.

    The measure of `entry` at its best point is `below`, `above` or within `margin` of (`near`)
    either a `bound` or the measure of entry `than`, on at least `on` of the variants (all, if it is
    left out, or if there are fewer). Without `entry` the claim is listed as not tested, for the
    reason `untested`.

    Fields that begin with `than_` describe the other side where it differs; a field that is left
    out has this side's value. If one of them is given, `than` is the entry itself by default.
    """

    says: str
    entry: str = ""
    is_: Annotated[Literal["below", "above", "near"], Field(alias="is")] = "below"
    margin: Positive | None = None
    bound: float | None = None
    than: str = ""
    at: Settings = Field(default_factory=dict)
    """Swept values at which the entry is fixed; it is at its best point among the rest."""
    than_at: Settings | None = None
    metric: str = ""
    """Another metric, after the last step at the point that is best by the measure."""
    than_metric: str = ""
    than_variant: str = ""
    """One variant against which all of this side's are compared, on the same instances."""
    when: Fraction | None = None
    """The fraction of the steps after which a metric is taken, instead of after the last one."""
    than_when: Fraction | None = None
    on: Count | None = None
    """The number of variants on which the claim must hold."""
    variants: tuple[str, ...] = ()
    """The variants on which the claim is tested; by default all."""
    untested: str = ""

    @property
    def other(self) -> str:
        """The entry of the other side; "" if that is a bound."""
        differs = (
            self.than_at is not None or self.than_metric or self.than_when or self.than_variant
        )
        return self.than or (self.entry if differs else "")

    @model_validator(mode="after")
    def _is_tested_or_says_why_not(self) -> Self:
        if bool(self.entry) == bool(self.untested):
            raise ValueError("give 'entry', or say under 'untested' why it cannot be tested")
        if self.entry and (self.bound is None) == (not self.other):
            raise ValueError("give either 'bound' or 'than'")
        if self.than_variant and not self.variants:
            raise ValueError("'than_variant' requires 'variants', the ones compared with it")
        if (self.is_ == "near") != (self.margin is not None):
            raise ValueError("'margin' is required with is = 'near', and not allowed otherwise")
        return self


class Experiment(Frozen):
    """The file of an experiment."""

    title: str
    source: str
    """The place in the thesis."""
    question: str
    notes: str = ""
    """Where and why settings differ from the thesis's, for a comparison."""
    set: Settings = Field(default_factory=dict)
    """Hyperparameters of every entry and of the trunk."""
    trunk: Trunk | None = None
    reference: str = ""
    """The entry whose mean model over its orders is compared with those of the others."""
    full: Form
    quick: Form
    entries: Annotated[tuple[Entry, ...], Field(min_length=1)]
    diagnostics: tuple[Diagnostic, ...] = ()
    """Diagnostics of every evaluated snapshot: see `harness.referee.diagnostics`."""
    measure: Measure
    figure: Figure
    claims: tuple[Claim, ...] = ()

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        names = [entry.name for entry in self.entries]
        if len(set(names)) < len(names):
            raise ValueError("two entries have the same name; give them labels")
        for claim in self.claims:
            for name in filter(None, (claim.entry, claim.than)):
                if name not in names:
                    raise ValueError(f"a claim is about '{name}'; entries: {', '.join(names)}")
            if claim.margin is not None and self.measure.scale == "log":
                raise ValueError("a claim has a margin, which is a difference; scale is 'log'")
            self._check_held(claim)
            self._check_variants(claim)
        for axis in {self.figure.over, self.figure.lines} - {"", "entry", "metric", "variant"}:
            if not any(axis in entry.sweep for entry in self.entries):
                raise ValueError(f"no entry sweeps '{axis}', over which the figure is drawn")
        return self

    @model_validator(mode="after")
    def _trunk_fits(self) -> Self:
        for form in (self.full, self.quick):
            if (form.trunk_steps is None) != (self.trunk is None):
                raise ValueError(
                    "'trunk_steps' is required in both forms with [trunk], and refused without it"
                )
            if form.orders > 1 and self.trunk is None:
                raise ValueError(
                    f"orders is {form.orders}, but only branches of a [trunk] have orders"
                )
        for entry in self.entries:
            is_own = self.trunk is None or entry.submission == self.trunk.submission
            if entry.keeps == "state" and not is_own:
                raise ValueError(
                    f"entry '{entry.name}' cannot continue from the state of the trunk's "
                    'submission; give it keeps = "weights"'
                )
        if self.reference and self.reference not in [entry.name for entry in self.entries]:
            raise ValueError(f"reference is '{self.reference}', which is not an entry")
        return self

    def _check_held(self, claim: Claim) -> None:
        """In both forms each side's entry tries what the claim holds fixed, if it sweeps that."""
        other_at = claim.at if claim.than_at is None else claim.than_at
        for name, values in ((claim.entry, claim.at), (claim.other, other_at)):
            for entry in (entry for entry in self.entries if entry.name == name):
                for key, value in values.items():
                    self._check_tried(entry, key, value)
        for key in {**claim.at, **(claim.than_at or {})}:
            if not any(key in entry.sweep for entry in self.entries):
                raise ValueError(f"a claim is at a value of '{key}', which no entry sweeps")

    def _check_tried(self, entry: Entry, key: str, value: Scalar) -> None:
        for name, form in (("quick", self.quick), ("full", self.full)):
            swept = entry.sweep.get(key)
            if swept is not None and value not in form.select(key, swept):
                raise ValueError(
                    f"a claim is on '{entry.name}' at {key} {value}, which the {name} form does "
                    "not try"
                )

    def _check_variants(self, claim: Claim) -> None:
        """In both forms there must be trials on the variants of a claim."""
        for name, form in (("full", self.full), ("quick", self.quick)):
            for variant in filter(None, (*claim.variants, claim.than_variant)):
                if variant not in form.variants:
                    raise ValueError(
                        f"a claim is on variant '{variant}', which the {name} form does not try; "
                        f"its variants: {', '.join(form.variants)}"
                    )

    def form(self, *, is_quick: bool) -> Form:
        """The full or the quick form."""
        return self.quick if is_quick else self.full
