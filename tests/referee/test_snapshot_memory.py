"""Snapshots that wait lie in memory that is taken once."""

from __future__ import annotations

import numpy as np

from harness.referee.snapshot_memory import SnapshotMemory


def _address(array: np.ndarray) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def test_a_place_is_free_again_when_nobody_holds_a_view_of_it() -> None:
    memory = SnapshotMemory(numbers=6, places=1)
    flat = memory.take()
    address, view = _address(flat), flat[2:4].reshape(1, 2)
    del flat
    assert _address(memory.take()) != address  # the view still reads it
    del view
    assert _address(memory.take()) == address


def test_snapshots_that_wait_do_not_share_memory() -> None:
    memory = SnapshotMemory(numbers=3, places=4)
    snapshots = [memory.take() for _ in range(6)]
    for number, flat in enumerate(snapshots):
        flat[:] = number
    assert [flat.tolist() for flat in snapshots] == [[float(n)] * 3 for n in range(6)]


def test_a_model_without_parameters_needs_none() -> None:
    assert SnapshotMemory(numbers=0, places=8).take().size == 0
