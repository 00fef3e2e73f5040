"""Elementwise updates over many tensors: all at once on a GPU, one by one on a CPU.

An update is written once, with torch's `_foreach` functions over the lists that `chunks` gives. On
a GPU one list holds all tensors, so that a step is a handful of launches; on a CPU each tensor is
its own list, whose temporaries stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any

import torch


def chunks(parameters: Iterable[torch.Tensor]) -> list[list[torch.Tensor]]:
    """The parameters that have a gradient, in lists to be updated together."""
    live = [parameter for parameter in parameters if parameter.grad is not None]
    on_cpu = [[parameter] for parameter in live if parameter.device.type == "cpu"]
    others = [parameter for parameter in live if parameter.device.type != "cpu"]
    return on_cpu + ([others] if others else [])


def state_lists(
    state: MutableMapping[torch.Tensor, dict[str, Any]],
    parameters: Sequence[torch.Tensor],
    names: Sequence[str],
) -> list[list[torch.Tensor]]:
    """One list a name of the parameters' state tensors; zeros where there is none yet."""
    for parameter in parameters:
        entry = state[parameter]
        for name in names:
            if name not in entry:
                entry[name] = torch.zeros_like(parameter)
    return [[state[parameter][name] for parameter in parameters] for name in names]
