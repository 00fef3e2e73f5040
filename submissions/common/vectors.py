"""Elementwise updates over many tensors: all at once on a GPU, few at once on a CPU.

An update is written once, with torch's `_foreach` functions over the lists that `chunks` gives. On
a GPU one list holds all tensors, so that a step is a handful of launches; on a CPU a list holds as
many as fit the cache together with their temporaries.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any

import torch

State = MutableMapping[torch.Tensor, dict[str, Any]]
CACHED = 2**18
"""Numbers in a list on a CPU, from which on it is closed."""


def chunks(
    state: State, parameters: Iterable[torch.Tensor]
) -> list[tuple[int, list[torch.Tensor]]]:
    """The parameters that have a gradient, in lists to be updated together.

    Counts a step for each in `state`; a parameter whose gradient comes late has its own count.

    Returns:
        Pairs of the step, from 1, and the parameters.
    """
    found: list[tuple[int, list[torch.Tensor]]] = []
    # Which list of `found` is open for a step and a device, and how many numbers it holds.
    opened: dict[tuple[int, torch.device], tuple[list[torch.Tensor], int]] = {}
    for parameter in parameters:
        if parameter.grad is None:
            continue
        entry = state[parameter]
        step = entry["step"] = entry.get("step", 0) + 1
        device = parameter.device
        members, size = opened.get((step, device), ([], 0))
        if not members:
            found.append((step, members))
        members.append(parameter)
        size += parameter.numel()
        is_full = device.type == "cpu" and size >= CACHED
        opened[step, device] = ([], 0) if is_full else (members, size)
    return found


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
