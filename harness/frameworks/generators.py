"""The states of numpy's and python's global generators, which a submission may draw from."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

State = Mapping[str, Any]


def global_state() -> dict[str, Any]:
    """Both states as numbers and arrays."""
    kind, words, position, has_normal, normal = np.random.get_state(legacy=True)
    version, internal, normal_of_python = random.getstate()
    return {
        "numpy": (kind, np.array(words), int(position), int(has_normal), float(normal)),
        "python": (version, np.array(internal, dtype=np.uint64), normal_of_python),
    }


def set_global_state(state: State) -> None:
    """Put both back."""
    kind, words, position, has_normal, normal = state["numpy"]
    np.random.set_state((kind, np.asarray(words), position, has_normal, normal))
    version, internal, normal_of_python = state["python"]
    random.setstate((version, tuple(int(word) for word in np.asarray(internal)), normal_of_python))


def plain_array(value: Any) -> tuple[Any, str] | None:
    """A numpy array or scalar as an array and the mark by which it comes back as one."""
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        return np.asarray(value), "numpy" if isinstance(value, np.ndarray) else "numpy scalar"
    return None


def plain_value(array: Any, mark: str) -> Any:
    """What `plain_array` gave, back."""
    return array.copy() if mark == "numpy" else array[()]
