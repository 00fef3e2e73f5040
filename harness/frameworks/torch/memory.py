"""How much of a GPU's memory a worker may reserve: what the referee's evaluation leaves of it.

Referee and worker compute on one GPU. The referee has evaluated once before there is a worker, and
keeps what that took; a worker that asks for more than the rest gets none, and its trial ends as one
out of memory. Without a bound it could have the referee's next allocation fail.
"""

from __future__ import annotations

import torch

SPARE_BYTES = 4 * 2**30
"""Left to the driver, and to the referee: it makes some training passes of its own where averaged
weights need batch statistics, and has made none before there is a worker."""


def bound(device: torch.device) -> None:
    """Bound what this process reserves on a GPU by what is free now."""
    free, total = torch.cuda.mem_get_info(device)
    torch.cuda.set_per_process_memory_fraction(fraction(free, total), device)


def fraction(free: int, total: int) -> float:
    """The part of a GPU that a process may reserve which finds so much of it free."""
    return max(0, free - SPARE_BYTES) / total
