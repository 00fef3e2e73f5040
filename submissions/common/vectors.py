"""Elementwise updates over many tensors: all at once on a GPU, a few at a time on a CPU.

An update is written once, with torch's `_foreach` functions over the lists returned by `chunks`. On
a GPU one list holds all tensors, so a step takes only a few kernel launches; on a CPU a list holds
as many tensors as fit in cache together with their temporaries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch

from submissions.common.optimizers import State

States = Mapping[torch.Tensor, State]
"""What is kept of each parameter; an optimizer's makes a missing one."""
CACHED = 2**18
"""Number of elements at which a list on a CPU is full."""


def chunks(
    state: States, parameters: Iterable[torch.Tensor]
) -> list[tuple[int, list[torch.Tensor]]]:
    """Group the parameters that have a gradient into lists to be updated together.

    Increments each parameter's step count in `state`; one that first gets a gradient later has its
    own count.

    Returns:
        Pairs of the step, counted from 1, and the parameters.
    """
    groups: list[tuple[int, list[torch.Tensor]]] = []
    # The list of `groups` being filled for each step and device, and its number of elements.
    open_groups: dict[tuple[int, torch.device], tuple[list[torch.Tensor], int]] = {}
    for parameter in parameters:
        if parameter.grad is None:
            continue
        entry = state[parameter]
        step = entry["step"] = entry.get("step", 0) + 1
        device = parameter.device
        members, size = open_groups.get((step, device), ([], 0))
        if not members:
            groups.append((step, members))
        members.append(parameter)
        size += parameter.numel()
        is_full = device.type == "cpu" and size >= CACHED
        open_groups[step, device] = ([], 0) if is_full else (members, size)
    return groups


def state_lists(
    state: States, parameters: Sequence[torch.Tensor], names: Sequence[str]
) -> list[list[torch.Tensor]]:
    """One list of state tensors per name, initialising missing ones to zero."""
    for parameter in parameters:
        entry = state[parameter]
        for name in names:
            if name not in entry:
                entry[name] = torch.zeros_like(parameter)
    return [[state[parameter][name] for parameter in parameters] for name in names]


def state_copies(
    state: States, parameters: Sequence[torch.Tensor], name: str
) -> list[torch.Tensor]:
    """State tensors initialised as copies of the parameters, such as the starting point."""
    for parameter in parameters:
        if name not in state[parameter]:
            state[parameter][name] = parameter.detach().clone()
    return [state[parameter][name] for parameter in parameters]
