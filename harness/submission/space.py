"""The search space of a submission: the typed content of `space.toml`.

summary = "one line"
family = "adaptive"
frameworks = ["torch", "jax"]

[default]                    # every hyperparameter, searched or not: the point of ruleset self
learning_rate = 1e-3

[space.learning_rate]        # the searched ones
min = 1e-4
max = 1e-2
scale = "log"                # "linear" (the default), "log" or "one_minus_log"
# type = "integer"           # numbers are real unless this is said
# choices = ["a", "b"]       # instead of min and max

[refused]                    # where it is not to be run, and why; mostly there is none
"quick/lm" = "a step at the default point takes 12 s of a budget of 33 s"
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from harness.core.canonical import sha256_json
from harness.core.errors import HarnessError
from harness.core.names import check_name
from harness.submission.reference import Framework, Scalar
from workloads.spec import Frozen
from workloads.toml import parse_toml, read_toml

IMPORT_PATH_SPACE = Path(__file__).with_name("import_path.toml")
"""The default search space of a submission given by import path."""

EXACT_BELOW = 2.0**53
"""The largest integer up to which floats are exact; larger bounds would be rounded."""
EXAMPLE = """\
summary = "Say in one line what it is"
family = "momentum"
frameworks = ["torch"]      # or "jax", for submission_jax.py

[default]                   # a value for every hyperparameter, searched or not
learning_rate = 0.02

[space.learning_rate]       # those that are searched
min = 2e-3
max = 0.2
scale = "log"
"""


class Dimension(Frozen):
    """One searched hyperparameter: a range (`min`, `max`, `scale`, `type`) or `choices`."""

    min: float | None = None
    max: float | None = None
    scale: Literal["linear", "log", "one_minus_log"] = "linear"
    type: Literal["real", "integer"] = "real"
    choices: tuple[Scalar, ...] | None = None

    @model_validator(mode="after")
    def _is_range_or_choices(self) -> Self:
        if self.choices is not None:
            if self != Dimension.model_construct(choices=self.choices):
                raise ValueError("'choices' cannot be combined with min, max, scale or type")
            if not self.choices:
                raise ValueError("'choices' must hold at least one value")
            return self
        if self.min is None or self.max is None:
            raise ValueError("a searched hyperparameter needs 'min' and 'max', or 'choices'")
        self._check_range(self.min, self.max)
        return self

    def _check_range(self, low: float, high: float) -> None:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"'min' ({low:g}) must be below 'max' ({high:g}), both finite")
        if self.scale == "log" and low <= 0.0:
            raise ValueError("scale 'log' needs min > 0")
        if self.scale == "one_minus_log" and high >= 1.0:
            raise ValueError("scale 'one_minus_log' needs max < 1: it searches log(1 - x)")
        if self.type == "integer":
            if self.scale == "one_minus_log":
                raise ValueError("type 'integer' needs scale 'linear' or 'log'")
            if not (low.is_integer() and high.is_integer()):
                raise ValueError("type 'integer' needs whole numbers as 'min' and 'max'")
            if max(abs(low), abs(high)) >= EXACT_BELOW:
                raise ValueError("type 'integer' needs bounds between -2**53 and 2**53")

    def value_at(self, fraction: float) -> Scalar:
        """The value at a fraction of the dimension, in [0, 1).

        Reals are rounded to six digits (of 1 - x under `one_minus_log`), because the last bits of
        `exp` and `log` differ between machines.
        """
        if self.choices is not None:
            return self.choices[int(fraction * len(self.choices))]
        if self.min is None or self.max is None:  # excluded by the validator
            raise HarnessError("a dimension without choices needs min and max")
        if self.type == "integer":
            return _integer_at(fraction, int(self.min), int(self.max), self.scale)
        return _real_at(fraction, self.min, self.max, self.scale)


def _integer_at(fraction: float, low: int, high: int, scale: str) -> int:
    if scale == "linear":
        return min(high, low + math.floor(fraction * (high - low + 1)))
    start, end = math.log(low), math.log(high + 1)
    return min(high, max(low, math.floor(math.exp(start + fraction * (end - start)))))


def _real_at(fraction: float, low: float, high: float, scale: str) -> float:
    if scale == "linear":
        value = _six_digits(low + fraction * (high - low))
    elif scale == "log":
        value = _six_digits(math.exp(_between(math.log(low), math.log(high), fraction)))
    else:
        gap = math.exp(_between(math.log1p(-low), math.log1p(-high), fraction))
        value = round(1.0 - _six_digits(gap), 15)
    return min(high, max(low, value))


def _between(start: float, end: float, fraction: float) -> float:
    return start + fraction * (end - start)


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")


class Space(Frozen):
    """The content of a `space.toml`: what a submission is, and its hyperparameters."""

    summary: str
    family: str
    frameworks: tuple[Framework, ...] = Field(min_length=1)
    default: dict[str, Scalar]
    """Every hyperparameter by name; the point of the self-tuning ruleset."""
    space: dict[str, Dimension] = Field(default_factory=dict)
    points: tuple[dict[str, Scalar], ...] = ()
    """An explicit list of points, used instead of drawing from `space`, which is then empty."""
    refused: dict[str, str] = Field(default_factory=dict)
    """`suite/workload` to the reason why it is not to be run there."""

    @field_validator("default")
    @classmethod
    def _hyperparameters_are_named(cls, default: dict[str, Scalar]) -> dict[str, Scalar]:
        for name in default:
            try:
                check_name("hyperparameter", name)
            except HarnessError as error:
                raise ValueError(f"{error.message}; {error.hint}") from error
        return default

    @model_validator(mode="after")
    def _searched_names_have_defaults(self) -> Self:
        for name in self.space:
            if name not in self.default:
                names = ", ".join(sorted(self.default)) or "nothing"
                raise ValueError(f"'space.{name}' is not in [default], which holds: {names}")
        return self

    @model_validator(mode="after")
    def _points_stand_alone(self) -> Self:
        if self.points and self.space:
            raise ValueError("'points' cannot be combined with a table 'space'")
        for point in self.points:
            if point.keys() != self.default.keys():
                raise ValueError(
                    f"a point has {', '.join(sorted(point)) or 'nothing'}, where another or the "
                    f"default has {', '.join(sorted(self.default)) or 'nothing'}"
                )
        return self

    @field_validator("refused")
    @classmethod
    def _refused_places_are_named(cls, refused: dict[str, str]) -> dict[str, str]:
        for place, why in refused.items():
            if len(place.split("/")) != 2 or not why.strip():
                raise ValueError(f"'{place}' must be \"SUITE/WORKLOAD\" with a reason")
        return refused

    @property
    def content_hash(self) -> str:
        """SHA-256 of what determines the points: defaults and dimensions."""
        fields = {"default", "space", "points"} if self.points else {"default", "space"}
        return sha256_json(self.model_dump(mode="json", include=fields))


def read_space(path: Path) -> Space:
    """Read a `space.toml`.

    Raises:
        HarnessError: it is missing or malformed; the message names file, key and what is allowed.
    """
    if not path.is_file():
        raise _missing_error(path)
    return read_toml(path, Space)


def space_of(contents: Mapping[str, bytes], path: Path) -> Space:
    """The space in a submission's files that have been read; `path` is that of its file.

    Raises:
        HarnessError: as `read_space`.
    """
    if path.name not in contents:
        raise _missing_error(path)
    try:
        return parse_space(contents[path.name].decode(), str(path))
    except UnicodeDecodeError as error:
        raise HarnessError(f"cannot read {path}: {error}") from error


def _missing_error(path: Path) -> HarnessError:
    return HarnessError(
        f"{path} is missing: a submission needs a search space next to it",
        f"write one; start from this, with your hyperparameters:\n\n{EXAMPLE}",
    )


def parse_space(text: str, name: str = "space.toml") -> Space:
    """Parse the text of a `space.toml`; `name` stands for the file in errors."""
    return parse_toml(text, name, Space)
