"""The declarative side of a workload and of a suite: typed, frozen, read from TOML.

`workloads/<name>/workload.toml` is the only place where a target or a budget is written;
`workloads/suites/<suite>.toml` says which workloads a suite has, its rulesets and its hardware.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from harness.core.content import refuse_long_names
from harness.core.errors import HarnessError
from workloads.losses import LOSSES, known_loss

Share = Annotated[float, Field(gt=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
Sizes = dict[str, Any]
"""The numbers a model is built from; each workload's `model.py` says which."""


class Frozen(BaseModel):
    """A value that does not change and takes no unknown key."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(Frozen):
    """The value of the validation metric that a trial must reach."""

    metric: str
    direction: Literal["maximize", "minimize"]
    value: float

    def is_met_by(self, value: float) -> bool:
        """Whether a metric's value is at the target or beyond it; NaN never is."""
        return value >= self.value if self.direction == "maximize" else value <= self.value


class ReferenceSpeed(Frozen):
    """How fast AdamW trains a workload in torch on the suite's reference machine."""

    step_s: Positive
    """Seconds a step."""
    startup_s: Annotated[float, Field(ge=0.0)]
    """Seconds on the clock beside the steps: loading the data, the first step's surplus."""


class Budget(Frozen):
    """How long a trial may train: seconds of the referee's clock, or steps (for calibration)."""

    runtime_s: Positive
    horizon_steps: Count
    """Steps that AdamW makes in the calibrated horizon, 0.75 of the budget."""
    reference: ReferenceSpeed | None = None
    """By which the budget is scaled on other machines, see `harness.speed.factor`; None: it is
    not."""


class Grid(Frozen):
    """When a trial is observed: at every multiple of a share of its budget."""

    share: Share = 0.02
    evaluate_every: Count = 5
    """Every so many grid points one is evaluated at once; those between wait for a hit."""


class Limits(Frozen):
    """What a worker may use."""

    warmup_s: Positive = 60.0
    memory_gib: Positive = 8.0
    resident_gib: Positive = 4.0
    """A split larger than this stays memory-mapped; batches are then gathered on the host."""
    drift: Share = 0.25
    """How much the machine may change around a trial before the trial is flagged."""


class Data(Frozen):
    """Which loader or generator makes the data, with its settings."""

    source: str
    settings: dict[str, Any] = Field(default_factory=dict)


class Augmentation(Frozen):
    """How the stream changes each training image: a pure function of (seed, position).

    The image is padded with mid-grey, cropped at a random place and mirrored by a coin. Held-out
    images are cropped at the centre, without padding.
    """

    crop_padding: Annotated[int, Field(ge=0, le=64)] = 0
    crop_to: Count | None = None
    """The side of the crop; None for the image's own."""
    flip: bool = False


class SuiteWorkload(Frozen):
    """A workload at the size of one suite."""

    data: Data | None = None
    """None: the loss is a function of the parameters alone, see `workloads.data.no_data`."""
    sizes: Sizes
    batch_size: Count = 1
    """To be given where there are data, as is `train_examples`."""
    train_examples: Count = 1
    evaluation_batch: Count = 4096
    """How many held-out examples the referee passes at once."""
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    """Whether training passes go through torch.compile; it acts on CUDA only."""
    augmentation: Augmentation | None = None
    target: Target
    budget: Budget
    grid: Grid = Grid()
    limits: Limits = Limits()
    variants: dict[str, Sizes] = Field(default_factory=dict)
    """Held-out variants: each replaces some of `sizes`."""

    def sizes_of(self, variant: str) -> Sizes:
        """The sizes of the base (`base`) or of a held-out variant."""
        return self.sizes | (self.variants[variant] if variant != "base" else {})

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
            f"key '{place}.sizes.classes' is {classes!r}; loss {loss} wants the number of "
            "classes, an integer of at least 1"
        )


class Ruleset(Frozen):
    """The tuning budget of a suite under one set of rules."""

    studies: Count
    trials: Count
    budget_factor: Positive = 1.0


class Hardware(Frozen):
    """The machine that a suite's budgets are meant for."""

    device: Literal["cpu", "cuda"]
    cores: Count
    name: str


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
            raise ValueError("rulesets must be external and self, both")
        if self.rulesets["self"].trials != 1:
            raise ValueError("rulesets.self.trials must be 1: self-tuning has one trial a study")
        return self


FrozenT = TypeVar("FrozenT", bound=Frozen)


def read_toml(path: Path, kind: type[FrozenT]) -> FrozenT:
    """Read one TOML file as a declared kind of value.

    Raises:
        HarnessError: the file is missing, no TOML, or has a key or value that is not allowed; the
            message names the file, the line or key, and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"cannot read {path}: {error}") from error
    return parse_toml(text, str(path), kind)


def parse_toml(text: str, name: str, kind: type[FrozenT]) -> FrozenT:
    """Parse TOML text as a declared kind of value; `name` stands for the file in errors."""
    try:
        refuse_long_names(text.encode("utf-8", "surrogatepass"))
        return kind.model_validate(tomllib.loads(text))
    except RecursionError as error:
        raise HarnessError(f"{name} is not valid TOML: nested too deeply") from error
    except ValidationError as error:
        raise HarnessError(f"{name}: {_first_problem(error, kind)}") from error
    except ValueError as error:  # tomllib's own, and a number of too many digits
        raise HarnessError(f"{name} is not valid TOML: {error}") from error


def _first_problem(error: ValidationError, kind: type[Frozen]) -> str:
    first = error.errors()[0]
    if first["type"] == "value_error":
        return _own_problem(first)
    key = ".".join(str(part) for part in first["loc"]) or kind.__name__
    if first["type"] == "extra_forbidden":
        return f"key '{key}' is not known"
    if first["type"] == "missing":
        return f"key '{key}' is missing"
    return f"key '{key}' is {first['input']!r}: {first['msg']}"


def _own_problem(error: ErrorDetails) -> str:
    """What a validator of this file says, behind the key that it is about."""
    said, place = str(error["ctx"]["error"]), ".".join(str(part) for part in error["loc"])
    if isinstance(error["input"], Frozen | dict):  # a whole table: not to be repeated
        return f"{place}: {said}" if place else said
    return f"key '{place}' is {error['input']!r}: {said}"
