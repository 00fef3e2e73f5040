"""Sizes of a model and settings of its data, read as typed values: once for every workload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.core.errors import HarnessError
from workloads.spec import Frozen, Sizes

SizesT = TypeVar("SizesT", bound=Frozen)


def checked_sizes(kind: type[SizesT], sizes: Sizes, workload: str) -> SizesT:
    """A workload's sizes as a typed value.

    Args:
        kind: the class that says which sizes there are and which values they may take.
        sizes: the sizes as written in `workload.toml`.
        workload: its name, for the error.

    Raises:
        HarnessError: a key is not known or a value is not allowed; it names both.
    """
    return _checked(kind, sizes, workload, "size")


def checked_settings(kind: type[SizesT], settings: Mapping[str, Any], workload: str) -> SizesT:
    """The settings of a workload's data as a typed value; as `checked_sizes`."""
    return _checked(kind, settings, workload, "data setting")


def _checked(kind: type[SizesT], values: Mapping[str, Any], workload: str, what: str) -> SizesT:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        where = f"{what} '{key}' is {first['input']!r}" if key else f"{what}s do not fit together"
        raise HarnessError(
            f"{workload}: {where}: {first['msg']}", f"{what}s: {', '.join(kind.model_fields)}"
        ) from error
