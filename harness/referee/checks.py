"""Checks of a worker's data, which are hostile input: every tensor must match the model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from harness.frameworks.examples import Parameters
from harness.protocol.wire import Tensors, WireError

NAMES_SHOWN, NAME_SHOWN = 3, 60


def checked_parameters(tensors: Tensors, shapes: Mapping[str, tuple[int, ...]]) -> Parameters:
    """Check that tensors are the model's parameters and buffers; returns them in its order.

    Raises:
        WireError: a name, a shape or a dtype is not the model's.
    """
    if set(tensors) != set(shapes):
        odd = _some(sorted(set(tensors) ^ set(shapes)))
        raise WireError(f"a snapshot whose parameters differ from the model's: {odd}")
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype != np.float32:
            raise WireError(
                f"parameter '{name}' came as {tensor.dtype}{list(tensor.shape)}; "
                f"the model's is float32{list(shape)}"
            )
    return {name: tensors[name] for name in shapes}


def _some(names: Sequence[str]) -> str:
    """The first few names, shortened, and how many more there are; there may be thousands."""
    text = ", ".join(name[:NAME_SHOWN] for name in names[:NAMES_SHOWN])
    more = len(names) - NAMES_SHOWN
    return f"{text} and {more} more" if more > 0 else text


def are_finite(arrays: Iterable[npt.NDArray[np.float32]]) -> bool:
    """Whether no entry is NaN or infinite."""
    return all(_is_finite(array) for array in arrays)


def _is_finite(array: npt.NDArray[np.float32]) -> bool:
    """A finite sum has finite terms; this takes one pass, without an array of booleans."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())


def printable(text: str) -> str:
    """A worker's text without control characters, which are spelt out."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def finite_or_none(value: float) -> float | None:
    """A number as it is stored in a record, as JSON has no NaN and infinity."""
    return value if math.isfinite(value) else None


def or_nan(value: float | None) -> float:
    """A number read back from a record."""
    return math.nan if value is None else value
