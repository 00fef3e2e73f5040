"""Immutable values and the types of their fields, on which every declaration is built."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(gt=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
Sizes = dict[str, Any]
"""The sizes of a model, as documented in each workload's `model.py`."""


class Frozen(BaseModel):
    """Base class of immutable values that reject unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
