"""The sizes a model is built from, read as a typed value: once for every workload."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from harness.errors import HarnessError
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
    try:
        return kind.model_validate(sizes)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        where = f"size '{key}' is {first['input']!r}" if key else "sizes do not fit together"
        raise HarnessError(
            f"{workload}: {where}: {first['msg']}", f"sizes: {', '.join(kind.model_fields)}"
        ) from error
