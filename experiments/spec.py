"""What an experiment's file declares, as frozen values."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from harness.submission.reference import Framework, Scalar
from workloads.spec import Count, Frozen

Settings = dict[str, Scalar]
Sweep = dict[str, Annotated[tuple[Scalar, ...], Field(min_length=1)]]


class Form(Frozen):
    """Where and how long an experiment trains, in its full or its quick form."""

    suite: str
    workload: str
    framework: Framework = "torch"
    variants: Annotated[tuple[str, ...], Field(min_length=1)] = ("base",)
    """Of the workload; each entry trains on each."""
    instances: Count = 1
    """How many seeds; all entries train on the same instances."""
    steps: Count
    points: Count = 50
    """How often a trial is evaluated, at equal distances; the last time after the last step."""
    every: Count = 1
    """Of each sweep, every so many-th value is tried, from the first on."""

    @model_validator(mode="after")
    def _has_a_step_for_each_point(self) -> Self:
        if self.points > self.steps:
            raise ValueError(f"points is {self.points}, but there are only {self.steps} steps")
        return self


class Entry(Frozen):
    """A submission with some hyperparameters set and others swept."""

    submission: str
    label: str = ""
    """What figures and tables call it; the submission's name if it is left out."""
    set: Settings = Field(default_factory=dict)
    sweep: Sweep = Field(default_factory=dict)
    """Every combination of these values is tried."""

    @property
    def name(self) -> str:
        """Its label, or else the submission's name."""
        return self.label or self.submission


class Measure(Frozen):
    """The number by which trials are compared, and by which an entry's best point is chosen."""

    metric: str
    """Of the validation split, or one of the workload's diagnostics."""
    direction: Literal["minimize", "maximize"]
    at: Literal["end", "best"] = "end"
    """The value after the last step, or the best of all evaluations."""
    shared_point: bool = False
    """Whether an entry has one best point for all variants, that of the best mean rank, and not one
    for each."""


class Figure(Frozen):
    """What is drawn; `experiments.figures` has the kinds."""

    kind: Literal["paths", "curves", "sweep"]
    metrics: tuple[str, ...] = ()
    """For `curves`: one row of panels each; by default the measure's metric."""
    over: str = ""
    """For `sweep`: the swept hyperparameter along the horizontal axis."""

    @model_validator(mode="after")
    def _sweep_has_an_axis(self) -> Self:
        if (self.kind == "sweep") != bool(self.over):
            raise ValueError("'over' names the swept hyperparameter of kind 'sweep' alone")
        return self


class Claim(Frozen):
    """A finding of the thesis, and what would confirm it here.

    The measure of `entry` at its best point is `below` or `above` either a `bound` or that of entry
    `than`, on at least `on` of the variants (all, if it is left out). Without `entry` the claim is
    listed as not tested, for the reason `untested`.
    """

    says: str
    entry: str = ""
    is_: Annotated[Literal["below", "above"], Field(alias="is")] = "below"
    bound: float | None = None
    than: str = ""
    at: Settings = Field(default_factory=dict)
    """Swept values to which both entries are held; each is at its best point among the rest."""
    on: Count | None = None
    untested: str = ""

    @model_validator(mode="after")
    def _is_tested_or_says_why_not(self) -> Self:
        if bool(self.entry) == bool(self.untested):
            raise ValueError("give 'entry', or say under 'untested' why it cannot be tested")
        if self.entry and (self.bound is None) == (not self.than):
            raise ValueError("give either 'bound' or 'than'")
        return self


class Experiment(Frozen):
    """One experiment's file."""

    title: str
    source: str
    """Where the thesis has it."""
    question: str
    notes: str = ""
    """What a reader must know to compare: where settings differ from the thesis's, and why."""
    set: Settings = Field(default_factory=dict)
    """Hyperparameters that every entry has."""
    full: Form
    quick: Form
    entries: Annotated[tuple[Entry, ...], Field(min_length=1)]
    measure: Measure
    figure: Figure
    claims: tuple[Claim, ...] = ()

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        names = [entry.name for entry in self.entries]
        if len(set(names)) < len(names):
            raise ValueError("two entries have one name; give them labels")
        for claim in self.claims:
            for name in filter(None, (claim.entry, claim.than)):
                if name not in names:
                    raise ValueError(f"a claim is about '{name}'; entries: {', '.join(names)}")
            self._check_held(claim)
        axis = self.figure.over
        if axis and not any(axis in entry.sweep for entry in self.entries):
            raise ValueError(f"no entry sweeps '{axis}', over which the figure is drawn")
        return self

    def _check_held(self, claim: Claim) -> None:
        """In the quick form, too, there must be a trial at what a claim holds fixed."""
        for name, value in claim.at.items():
            tried = {v for e in self.entries for v in e.sweep.get(name, ())[:: self.quick.every]}
            if value not in tried:
                raise ValueError(f"a claim is at {name} {value}, which the quick form does not try")

    def form(self, *, is_quick: bool) -> Form:
        """The full or the quick form."""
        return self.quick if is_quick else self.full
