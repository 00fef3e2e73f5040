"""AlgoPerf's search spaces, `tuning_search_space.json`, in both of their forms.

    {"learning_rate": {"min": 1e-4, "max": 1e-2, "scaling": "log"},
     "beta2": {"feasible_points": [0.99, 0.999]}}

    [{"learning_rate": 1e-3, "beta2": 0.99}, ...]          points, of which a study takes each once

A hyperparameter with a single feasible point is fixed instead of searched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
)

from harness.core.errors import HarnessError
from harness.submission.reference import Scalar
from harness.submission.space import Dimension, Space

MIDDLE = 0.5
"""The position of the default in a hyperparameter's range, as AlgoPerf declares none."""


class Range(BaseModel):
    """Numbers between two bounds."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    min: float
    max: float
    scaling: Literal["linear", "log"] = "linear"


class Choice(BaseModel):
    """One of a few values."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    feasible_points: tuple[Scalar, ...] = Field(min_length=1)


def _has_points(of: object) -> bool:
    return isinstance(of, dict) and "feasible_points" in of


RangeOrChoice = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choice, Tag("choice")],
    Discriminator(lambda of: "choice" if _has_points(of) else "range"),
]
_POINTS: TypeAdapter[list[dict[str, Scalar]]] = TypeAdapter(
    Annotated[list[dict[str, Scalar]], Field(min_length=1)]
)
_SPACE: TypeAdapter[dict[str, Range | Choice]] = TypeAdapter(dict[str, RangeOrChoice])


def with_tuning_space(space: Space, text: bytes, place: Path) -> Space:
    """A space whose hyperparameters are replaced by those of a `tuning_search_space.json`.

    Args:
        space: whose summary, family and frameworks are kept.
        text: the content of the file.
        place: its path, for errors.

    Raises:
        HarnessError: it has neither form, or a value that a point may not have.
    """
    try:
        document = json.loads(text)
        form = _POINTS if isinstance(document, list) else _SPACE
        content = form.validate_python(document)
        return Space.model_validate({**space.model_dump(), **_fields_of(content)})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        where = f"{place}, key '{key}'" if key else str(place)
        raise HarnessError(f"{where}: {first['msg']}", _ALLOWED_FORMS) from error
    except (ValueError, RecursionError) as error:
        raise HarnessError(f"{place} is not valid JSON: {error}", _ALLOWED_FORMS) from error


_ALLOWED_FORMS = (
    'allowed: {"NAME": {"min": LOW, "max": HIGH, "scaling": "linear" or "log"}} or {"NAME": '
    '{"feasible_points": [VALUE, ...]}}, or a list of points [{"NAME": VALUE, ...}, ...]'
)


def _fields_of(
    document: list[dict[str, Any]] | Mapping[str, Range | Choice],
) -> dict[str, object]:
    """The fields of `Space` that define the points."""
    if isinstance(document, list):
        return {"default": document[0], "space": {}, "points": document}
    space = {name: _dimension(of) for name, of in document.items()}
    default = {name: _default(of, space[name]) for name, of in document.items()}
    return {
        "default": default,
        "space": {name: one for name, one in space.items() if one is not None},
        "points": (),
    }


def _dimension(of: Range | Choice) -> Dimension | None:
    if isinstance(of, Choice):
        points = of.feasible_points
        return Dimension(choices=points) if len(points) > 1 else None
    if of.min == of.max:
        return None
    return Dimension(min=of.min, max=of.max, scale=of.scaling)


def _default(of: Range | Choice, dimension: Dimension | None) -> Scalar:
    if isinstance(of, Choice):
        return of.feasible_points[0]
    return of.min if dimension is None else dimension.value_at(MIDDLE)
