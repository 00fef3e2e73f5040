"""Bounds the GPU memory of a worker to what the referee's evaluation leaves free.

Referee and worker share one GPU. The referee evaluates once before a worker starts, and keeps the
memory that this took. A worker that requests more than the rest runs out of memory, which ends its
trial; without the bound, the referee's next allocation could fail instead.
"""

from __future__ import annotations

import torch

SPARE_BYTES = 4 * 2**30
"""GPU memory left to the driver and to the referee, which runs some training passes where averaged
weights need batch statistics, and has not run any before a worker starts."""


def limit_memory(device: torch.device) -> None:
    """Limit the GPU memory that this process may reserve to what is free now."""
    free, total = torch.cuda.mem_get_info(device)
    torch.cuda.set_per_process_memory_fraction(fraction(free, total), device)


def fraction(free: int, total: int) -> float:
    """The fraction of a GPU's memory that a process may reserve, from its free and total bytes."""
    return max(0, free - SPARE_BYTES) / total
