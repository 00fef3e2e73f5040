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
"""Whatever can be kept in a checkpoint without a pickle."""

StateDict: TypeAlias = "Mapping[str, StateTree[ArrayT]]"
"""What `state_dict` returns and `load_state_dict` takes back."""

# What comes back is what was given, so a reader knows its own entries; a type checker does not.


def arrays_of(state: StateDict[ArrayT], name: str) -> Mapping[str, ArrayT]:
    """The entry of a state that holds arrays by name."""
    return cast("Mapping[str, ArrayT]", state[name])


def state_of(state: StateDict[ArrayT], name: str) -> StateDict[ArrayT]:
    """The entry of a state that is another's state."""
    return cast("StateDict[ArrayT]", state[name])


def leaves_of(state: StateDict[ArrayT], name: str) -> Sequence[ArrayT]:
    """The entry of a state that is a list of arrays."""
    return cast("Sequence[ArrayT]", state[name])


def count_of(state: StateDict[ArrayT], name: str) -> int:
    """The entry of a state that is a count."""
    return int(cast("int", state[name]))


def schedule_state(schedule: object) -> StateDict[ArrayT]:
    """The state of a schedule that has one, such as one that counts its calls."""
    state: StateDict[ArrayT] = schedule.state_dict() if hasattr(schedule, "state_dict") else {}
    return state


def load_schedule_state(schedule: object, state: StateDict[ArrayT]) -> None:
    """Take back what `schedule_state` gave."""
    if hasattr(schedule, "load_state_dict"):
        schedule.load_state_dict(state)
