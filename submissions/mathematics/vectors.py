"""Elementwise updates over many tensors: all at once on a GPU, one by one on a CPU.

An update is written once, with torch's `_foreach` functions over the lists that `chunks` gives. On
a GPU one list holds all tensors, so that a step is a handful of launches; on a CPU each tensor is
its own list, whose temporaries stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any

import torch

State = MutableMapping[torch.Tensor, dict[str, Any]]


def chunks(
    state: State, parameters: Iterable[torch.Tensor]
) -> list[tuple[int, list[torch.Tensor]]]:
    """The parameters that have a gradient, in lists to be updated together.

    Counts a step for each in `state`; a parameter whose gradient comes late has its own count.

    Returns:
        Pairs of the step, from 1, and the parameters.
    """
    together: dict[Any, list[torch.Tensor]] = {}
    for parameter in parameters:
        if parameter.grad is None:
            continue
        step = state[parameter]["step"] = state[parameter].get("step", 0) + 1
        place = parameter if parameter.device.type == "cpu" else parameter.device
        together.setdefault((step, place), []).append(parameter)
    return [(step, members) for (step, _), members in together.items()]


def state_lists(
    state: State, parameters: Sequence[torch.Tensor], names: Sequence[str]
) -> list[list[torch.Tensor]]:
    """One list a name of the parameters' state tensors; zeros where there is none yet."""
    for parameter in parameters:
        entry = state[parameter]
        for name in names:
            if name not in entry:
                entry[name] = torch.zeros_like(parameter)
    return [[state[parameter][name] for parameter in parameters] for name in names]


def kept(state: State, parameters: Sequence[torch.Tensor], name: str) -> list[torch.Tensor]:
    """State tensors that start as copies of the parameters, such as where training began."""
    for parameter in parameters:
        if name not in state[parameter]:
            state[parameter][name] = parameter.detach().clone()
    return [state[parameter][name] for parameter in parameters]
