"""Typed, frozen specifications of workloads and suites.

Targets and budgets are defined only in `workloads/<name>/workload.toml`;
`workloads/suites/<suite>.toml` lists a suite's workloads, rulesets and hardware.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from workloads.drawing import Grammar
from workloads.frozen import Count, Fraction, Frozen, Positive, Sizes
from workloads.losses import LOSSES, known_loss
from workloads.targets import Target


class ReferenceSpeed(Frozen):
    """Speed of AdamW training in torch on the suite's reference machine."""

    step_s: Positive
    """Seconds per step."""
    startup_s: Annotated[float, Field(ge=0.0)]
    """Seconds on the clock besides the steps: loading the data, the first step's overhead."""


__all__ = [
    "HORIZON_FRACTION",
    "WIDTH",
    "Augmentation",
    "Budget",
    "Count",
    "Data",
    "Fraction",
    "Frozen",
    "Grid",
    "Hardware",
    "Limits",
    "Positive",
    "ReferenceSpeed",
    "Ruleset",
    "Sizes",
    "Suite",
    "SuiteWorkload",
    "Target",
    "WorkloadSpec",
    "fractions_of",
]
WIDTH = "width-"
"""Prefix of the names of variants that are the same model at another width."""
HORIZON_FRACTION = 0.75
"""The horizon of a tuned schedule as a fraction of the budget: budget = horizon / 0.75."""


class Budget(Frozen):
    """A trial's budget: seconds on the referee's clock, or steps."""

    runtime_s: Positive
    """With `steps` it is only a limit for workers that hang."""
    steps: Count | None = None
    """Ends a trial after this many steps, for problems whose steps are too short to time. Such
    trials are not scored."""
    horizon_steps: Count
    """Steps that AdamW makes within the calibrated horizon, 0.75 of the budget."""
    reference: ReferenceSpeed | None = None
    """Reference for scaling the budget on other machines, see `harness.speed.factor`; None for no
    scaling."""

    def step_hint(self, scale: float = 1.0) -> int:
        """Steps that tuned AdamW makes in the whole budget times a factor, on any machine."""
        return max(1, round(scale * self.horizon_steps / HORIZON_FRACTION))

    @model_validator(mode="after")
    def _scales_seconds(self) -> Self:
        if self.steps is not None and self.reference is not None:
            raise ValueError(
                "keys 'steps' and 'reference' exclude each other: only seconds are scaled"
            )
        return self


class Grid(Frozen):
    """When a trial is observed: points of its budget, each a fixed ratio after the one before.

    Fast and slow methods are thus timed with the same relative resolution. A snapshot is taken at
    each point and held in memory. At a look the worker is stopped and its newest snapshot is
    evaluated; if that meets the target, the held ones are searched (`harness.referee.looks`).
    """

    first: Fraction = 0.005
    """The first point, as a fraction of the budget; the last one is its end."""
    ratio: Annotated[float, Field(gt=1.0, le=2.0)] = 1.015
    even: Count | None = None
    """Number of equally spaced points, instead of `first` and `ratio`, for trials that time or tune
    and are not scored."""
    look_from: Fraction = 0.03
    """No snapshot is evaluated before this fraction of the budget, unless `kept` are held."""
    kept: Count = 64
    """Maximum number of snapshots in memory, the newest included, which is evaluated once the limit
    is reached; with 1 every point is evaluated."""

    @property
    def points(self) -> int:
        """The number of points."""
        return len(fractions_of(self))

    def fraction(self, point: int) -> float:
        """The fraction of the budget at which a point lies; points count from 1."""
        return fractions_of(self)[point - 1]

    def last_point(self, fraction: float) -> int:
        """The last point at a fraction of the budget or before it; 0 if there is none."""
        return bisect_right(fractions_of(self), fraction)


@cache
def fractions_of(grid: Grid) -> tuple[float, ...]:
    """The points of a grid as fractions of the budget, the last of them 1."""
    if grid.even is not None:
        return tuple(point / grid.even for point in range(1, grid.even + 1))
    count = math.ceil(math.log(1.0 / grid.first) / math.log(grid.ratio) - 1e-9)
    return (*(grid.first * grid.ratio**power for power in range(count)), 1.0)


class Limits(Frozen):
    """A worker's resource limits."""

    warmup_s: Positive = 60.0
    memory_gib: Positive = 8.0
    resident_gib: Positive = 4.0
    """A larger split stays memory-mapped, with batches gathered on the host."""
    drift: Fraction = 0.25
    """Relative change of machine speed around a trial above which it is flagged."""


class Data(Frozen):
    """The loader or generator of the data, with its settings."""

    source: str
    settings: dict[str, Any] = Field(default_factory=dict)


class Augmentation(Frozen):
    """Augmentation of training images, a pure function of (seed, position).

    Each image is padded with mid-grey, cropped at a random position and mirrored with probability
    1/2. Held-out images are centre-cropped without padding.
    """

    crop_padding: Annotated[int, Field(ge=0, le=64)] = 0
    crop_to: Count | None = None
    """Side length of the crop; None for that of the image."""
    flip: bool = False


class Hardware(Frozen):
    """The target machine of budgets."""

    device: Literal["cpu", "cuda"]
    cores: Count
    name: str


class SuiteWorkload(Frozen):
    """A workload at the size of one suite."""

    data: Data | None = None
    """None: the loss is a function of the parameters alone, see `workloads.data.no_data`."""
    sizes: Sizes
    batch_size: Count = 1
    """Required where there are data, like `train_examples`."""
    train_examples: Count = 1
    evaluation_batch: Count = 4096
    """Batch size of the referee's evaluation on held-out examples."""
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    """Whether training passes use torch.compile; only takes effect on CUDA."""
    augmentation: Augmentation | None = None
    target: Target
    budget: Budget
    grid: Grid = Grid()
    limits: Limits = Limits()
    variants: dict[str, Sizes] = Field(default_factory=dict)
    """Held-out variants: each replaces some of `sizes`."""
    drawn: Grammar | None = None
    """The grammar of the hidden architectures of scoring rounds; None: they use `variants`."""
    widths: dict[str, Sizes] = Field(default_factory=dict)
    """A family: the model at several widths, by width, for `--width`; never scored."""
    baseline_fraction: Fraction = 0.6
    """The fraction of the budget at which the baseline sets the target of a model that has no
    calibrated one: a drawn architecture, another width."""
    hardware: Hardware | None = None
    """The machine that its budget is meant for; None: the suite's."""

    @property
    def named_variants(self) -> dict[str, Sizes]:
        """What replaces some of `sizes`, by name: `base`, variants, widths (as `width-512`)."""
        of_widths = {f"{WIDTH}{width}": sizes for width, sizes in self.widths.items()}
        return {"base": {}, **self.variants, **of_widths}

    def sizes_of(self, variant: str) -> Sizes:
        """The sizes of a named variant; those of a drawn one are `registry.Workload.sizes`."""
        return self.sizes | self.named_variants[variant]

    @model_validator(mode="after")
    def _says_how_data_are_used(self) -> Self:
        for key in ("batch_size", "train_examples"):
            if self.data is not None and key not in self.model_fields_set:
                raise ValueError(f"key '{key}' is missing")
        for key in ("batch_size", "train_examples", "augmentation"):
            if self.data is None and key in self.model_fields_set:
                raise ValueError(f"key '{key}' is not allowed without data; leave it out")
        return self


class WorkloadSpec(Frozen):
    """One `workload.toml`."""

    name: str
    summary: str
    loss: Annotated[str, AfterValidator(known_loss)]
    """One of `workloads.losses.LOSSES`."""
    modules: str | None = None
    """The package of its model and data modules, where several declarations share one; by default
    they lie beside `workload.toml`."""
    suites: dict[str, SuiteWorkload]

    @model_validator(mode="after")
    def _suites_fit_the_loss(self) -> Self:
        spec = LOSSES[self.loss]
        for name, size in self.suites.items():
            if (metric := size.target.metric) not in spec.metrics:
                raise ValueError(
                    f"key 'suites.{name}.target.metric' is '{metric}', which loss {self.loss} "
                    f"does not offer; it offers: {', '.join(spec.metrics)}"
                )
            if spec.targets == "classes":
                _require_classes(f"suites.{name}", size, self.loss)
        return self


def _require_classes(place: str, size: SuiteWorkload, loss: str) -> None:
    if size.data is None:
        raise ValueError(f"key '{place}.data' is missing: loss {loss} has classes as targets")
    classes = size.sizes.get("classes")
    if not isinstance(classes, int) or classes < 1:
        raise ValueError(
            f"key '{place}.sizes.classes' is {classes!r}; loss {loss} needs the number of "
            "classes, an integer of at least 1"
        )


class Ruleset(Frozen):
    """The tuning budget of a suite under one set of rules."""

    studies: Count
    trials: Count
    budget_factor: Positive = 1.0


class Suite(Frozen):
    """One `suites/<name>.toml`: workloads, rules and target hardware."""

    name: str
    summary: str
    workloads: tuple[str, ...]
    rulesets: dict[Literal["external", "self"], Ruleset]
    hardware: Hardware

    @model_validator(mode="after")
    def _self_has_one_trial(self) -> Self:
        if self.rulesets.keys() != {"external", "self"}:
            raise ValueError(
                f"rulesets are {', '.join(self.rulesets) or 'missing'}; needed: external and self"
            )
        if self.rulesets["self"].trials != 1:
            trials = self.rulesets["self"].trials
            raise ValueError(f"rulesets.self.trials is {trials}; allowed: 1, with no tuning")
        return self
