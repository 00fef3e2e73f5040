"""What a submission's state is made of: nested mappings, sequences, numbers and arrays; no code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

ArrayT = TypeVar("ArrayT")
"""The framework's array: `torch.Tensor` or `jax.Array`."""

HostArray: TypeAlias = npt.NDArray[np.generic]
"""An array of numpy's, of whatever numbers."""

StateTree: TypeAlias = (
    "bool | int | float | str | ArrayT | HostArray | np.generic"
    " | Mapping[str, StateTree[ArrayT]] | Mapping[int, StateTree[ArrayT]]"
    " | Sequence[StateTree[ArrayT]] | None"
)
"""Anything that can be stored in a checkpoint without pickling."""

StateDict: TypeAlias = "Mapping[str, StateTree[ArrayT]]"
"""What `state_dict` returns and `load_state_dict` takes back."""

# What comes back is what was given, so a reader knows its own entries; a type checker does not.


def arrays_of(state: StateDict[ArrayT], name: str) -> Mapping[str, ArrayT]:
    """An entry of a state: arrays by name."""
    return cast("Mapping[str, ArrayT]", state[name])


def state_of(state: StateDict[ArrayT], name: str) -> StateDict[ArrayT]:
    """An entry of a state: a nested state."""
    return cast("StateDict[ArrayT]", state[name])


def leaves_of(state: StateDict[ArrayT], name: str) -> Sequence[ArrayT]:
    """An entry of a state: a list of arrays."""
    return cast("Sequence[ArrayT]", state[name])


def count_of(state: StateDict[ArrayT], name: str) -> int:
    """An entry of a state: an integer count."""
    return int(cast("int", state[name]))


def schedule_state(schedule: object) -> StateDict[ArrayT]:
    """The state of a stateful schedule, such as one that counts its calls; else empty."""
    state: StateDict[ArrayT] = schedule.state_dict() if hasattr(schedule, "state_dict") else {}
    return state


def load_schedule_state(schedule: object, state: StateDict[ArrayT]) -> None:
    """Restore what `schedule_state` returned."""
    if hasattr(schedule, "load_state_dict"):
        schedule.load_state_dict(state)
