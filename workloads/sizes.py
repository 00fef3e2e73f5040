"""Validation of model sizes and data settings, shared by all workloads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.core.errors import HarnessError
from workloads.spec import Frozen, Sizes

SizesT = TypeVar("SizesT", bound=Frozen)


def validate_sizes(kind: type[SizesT], sizes: Sizes, workload: str) -> SizesT:
    """Validate a workload's sizes.

    Args:
        kind: the class that declares the sizes and their allowed values.
        sizes: the sizes as written in `workload.toml`.
        workload: the workload's name, for error messages.

    Raises:
        HarnessError: a key is unknown or a value is not allowed; names both.
    """
    return _validate(kind, sizes, workload, "size")


def validate_settings(kind: type[SizesT], settings: Mapping[str, Any], workload: str) -> SizesT:
    """Validate the settings of a workload's data; as `validate_sizes`."""
    return _validate(kind, settings, workload, "data setting")


def _validate(kind: type[SizesT], values: Mapping[str, Any], workload: str, what: str) -> SizesT:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        where = f"{what} '{key}' is {first['input']!r}" if key else f"{what}s do not fit together"
        raise HarnessError(
            f"{workload}: {where}: {first['msg']}", f"{what}s: {', '.join(kind.model_fields)}"
        ) from error
