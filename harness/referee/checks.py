"""What a worker hands over is hostile input: every tensor is checked against the model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from harness.frameworks.examples import Parameters
from harness.protocol.wire import Tensors, WireError

NAMES_SHOWN, NAME_SHOWN = 3, 60


def checked_parameters(tensors: Tensors, shapes: Mapping[str, tuple[int, ...]]) -> Parameters:
    """The tensors as the model's parameters and buffers, in its order.

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
    """The first of some names, each cut, for there may be thousands; and how many there are."""
    text = ", ".join(name[:NAME_SHOWN] for name in names[:NAMES_SHOWN])
    more = len(names) - NAMES_SHOWN
    return f"{text} and {more} more" if more > 0 else text


def are_finite(arrays: Iterable[npt.NDArray[np.float32]]) -> bool:
    """Whether no entry is NaN or infinite."""
    return all(_is_finite(array) for array in arrays)


def _is_finite(array: npt.NDArray[np.float32]) -> bool:
    """A finite sum has finite terms: one pass, where a look at each entry writes an array."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())


def printable(text: str) -> str:
    """A worker's words without what would command a terminal: control characters are spelt out."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def finite_or_none(value: float) -> float | None:
    """A number as the record keeps it: JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else None


def or_nan(value: float | None) -> float:
    """A number as it was before the record kept it."""
    return math.nan if value is None else value
