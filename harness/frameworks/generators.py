"""The states of numpy's and Python's global random generators, which a submission may use."""

from __future__ import annotations

import random
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from harness.submission.state import ArrayT, HostArray, StateDict

NumpyState: TypeAlias = tuple[str, npt.NDArray[np.uint32], int, int, float]
"""numpy's state: algorithm, words, position, whether a normal sample is cached, the sample."""
PythonState: TypeAlias = tuple[int, npt.NDArray[np.uint64], float | None]
"""Python's state: version, words, and the cached normal sample, if any."""


def global_state() -> dict[str, NumpyState | PythonState]:
    """Both states as numbers and arrays, for a checkpoint."""
    kind, words, position, has_normal, normal = np.random.get_state(legacy=True)
    version, internal, normal_of_python = random.getstate()
    return {
        "numpy": (kind, np.array(words), int(position), int(has_normal), float(normal)),
        "python": (version, np.array(internal, dtype=np.uint64), normal_of_python),
    }


def set_global_state(state: StateDict[ArrayT]) -> None:
    """Restore both states."""
    # They are what `global_state` gave, among other entries.
    kind, words, position, has_normal, normal = cast("NumpyState", state["numpy"])
    np.random.set_state((kind, np.asarray(words), position, has_normal, normal))
    version, internal, normal_of_python = cast("PythonState", state["python"])
    random.setstate((version, tuple(int(word) for word in np.asarray(internal)), normal_of_python))


def plain_array(value: object) -> tuple[HostArray, str] | None:
    """A numpy array or scalar as an array, and a mark that tells which of the two it was."""
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        return np.asarray(value), "numpy" if isinstance(value, np.ndarray) else "numpy scalar"
    return None


def plain_value(array: HostArray, mark: str) -> HostArray | np.generic:
    """The inverse of `plain_array`."""
    return array.copy() if mark == "numpy" else array[()]
