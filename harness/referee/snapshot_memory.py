"""Memory for the snapshots that wait: taken once, before the clock runs, and used again.

Memory that is new costs the kernel a fault a page: of a copy of 8 MB that is nineteen parts of
twenty, spent on the cores that the worker trains on. So all of it is touched beforehand, and the
place of a snapshot that nobody holds any more is the next one's.
"""

from __future__ import annotations

import mmap
import weakref
from contextlib import suppress

import numpy as np

from harness.core.errors import CannotWriteError
from harness.protocol.slot import NUMBER_BYTES, Flat


class SnapshotMemory:
    """Places for some snapshots.

    Args:
        numbers: how many numbers a snapshot has.
        places: how many may wait at once.

    Raises:
        CannotWriteError: the machine has too little memory.
    """

    def __init__(self, numbers: int, places: int) -> None:
        self._numbers = numbers
        self._bytes = NUMBER_BYTES * numbers
        self._free = list(range(places)) if numbers else []
        self._memory = _allocate(self._bytes * len(self._free))

    def take(self) -> Flat:
        """An array for a snapshot, whose place is free again when nobody holds it or a view of it.

        Where more are held than there are places, as a hit is after the search for it, new memory.
        """
        if self._memory is None or not self._free:
            return np.empty(self._numbers, dtype=np.float32)
        place = self._free.pop()
        flat: Flat = np.frombuffer(self._memory, np.float32, self._numbers, place * self._bytes)
        # views of it refer to this array, for the memory below it is no array
        weakref.finalize(flat, self._free.append, place)
        return flat


def _allocate(size: int) -> mmap.mmap | None:
    """Memory that is there: in large pages where the kernel has them."""
    if not size:
        return None
    try:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise CannotWriteError(
            f"cannot take {size} bytes of memory for snapshots: {error.strerror}",
            "let fewer trials run at once, or use a machine with more memory",
        ) from error
    with suppress(OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    np.frombuffer(memory, np.uint8).fill(0)
    return memory
