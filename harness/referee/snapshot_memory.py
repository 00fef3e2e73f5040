"""Memory for the snapshots that are held: allocated once, before the clock runs, and reused.

New memory costs a page fault per page, which is 95 % of the time of copying 8 MB, spent on the
cores that the worker trains on. All memory is therefore touched in advance, and the slot of a
snapshot that is no longer referenced is reused.
"""

from __future__ import annotations

import mmap
import weakref
from contextlib import suppress

import numpy as np

from harness.core.errors import CannotWriteError
from harness.protocol.slot import NUMBER_BYTES, Flat


class SnapshotMemory:
    """Memory for a number of snapshots.

    Args:
        numbers: how many floats a snapshot has.
        places: how many snapshots can be held at once.

    Raises:
        CannotWriteError: the machine has too little memory.
    """

    def __init__(self, numbers: int, places: int) -> None:
        self._numbers = numbers
        self._bytes = NUMBER_BYTES * numbers
        self._free = list(range(places)) if numbers else []
        self._memory = _allocate(self._bytes * len(self._free))

    def take(self) -> Flat:
        """An array for a snapshot; its memory is reused once no reference or view of it is left.

        If more snapshots are held than there are places, new memory is allocated.
        """
        if self._memory is None or not self._free:
            return np.empty(self._numbers, dtype=np.float32)
        place = self._free.pop()
        flat: Flat = np.frombuffer(self._memory, np.float32, self._numbers, place * self._bytes)
        # views of it refer to this array, for the memory below it is no array
        weakref.finalize(flat, self._free.append, place)
        return flat


def _allocate(size: int) -> mmap.mmap | None:
    """Allocated and touched memory, in huge pages if the kernel has them."""
    if not size:
        return None
    try:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise CannotWriteError(
            f"cannot allocate {size} bytes of memory for snapshots: {error.strerror}",
            "let fewer trials run at once, or use a machine with more memory",
        ) from error
    with suppress(OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    np.frombuffer(memory, np.uint8).fill(0)
    return memory
