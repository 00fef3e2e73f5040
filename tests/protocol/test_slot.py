"""The slot: what one end writes the other copies, and neither can change its size."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from harness.core.errors import CannotWriteError
from harness.protocol import slot
from harness.protocol.slot import Flat, Slot, own_slot, receive_slot, split
from harness.protocol.wire import WireError, WireTimeoutError

SHAPES = {"weight": (2, 3), "bias": (3,), "mean": ()}


@pytest.fixture
def wire() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def both(wire: tuple[socket.socket, socket.socket]) -> Iterator[tuple[Slot, Flat]]:
    """The referee's end and the worker's."""
    own = Slot(SHAPES)
    own.send(wire[0])
    yield own, receive_slot(wire[1], SHAPES, 1.0)
    own.close()


def _memory() -> Flat:
    return own_slot(SHAPES)


def test_what_is_written_is_copied_by_name(both: tuple[Slot, Flat]) -> None:
    own, flat = both
    flat[:] = np.arange(10)
    copied = split(own.copy(_memory()), SHAPES)
    assert {name: array.shape for name, array in copied.items()} == SHAPES
    assert copied["weight"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert (copied["bias"].tolist(), float(copied["mean"])) == ([6.0, 7.0, 8.0], 9.0)


def test_a_copy_does_not_change_with_the_slot(both: tuple[Slot, Flat]) -> None:
    own, flat = both
    copied = own.copy(_memory())
    flat[:] = np.nan
    assert not copied.any()


@pytest.mark.parametrize("size", [0, 4, 4096])
def test_a_slot_is_neither_cut_nor_grown(both: tuple[Slot, Flat], size: int) -> None:
    with pytest.raises(PermissionError):
        os.ftruncate(both[0]._descriptor, size)


def test_a_slot_that_was_cut_is_an_error_and_no_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot, "seal", lambda descriptor: None)
    own = Slot(SHAPES)
    os.ftruncate(own._descriptor, 8)
    with pytest.raises(WireError, match="a slot of 8 bytes; the model has 40"):
        own.copy(_memory())
    own.close()


def test_a_slot_of_another_size_is_refused(wire: tuple[socket.socket, socket.socket]) -> None:
    own = Slot({"weight": (3,)})
    own.send(wire[0])
    with pytest.raises(WireError, match="a slot of 12 bytes for 10 numbers"):
        receive_slot(wire[1], SHAPES, 1.0)
    own.close()


def test_a_slot_is_waited_for_no_longer_than_that(
    wire: tuple[socket.socket, socket.socket],
) -> None:
    with pytest.raises(WireTimeoutError):
        receive_slot(wire[1], SHAPES, 0.01)
    wire[0].send(b"x")
    with pytest.raises(WireError, match="without a slot"):
        receive_slot(wire[1], SHAPES, 1.0)


def test_a_model_without_parameters_has_an_empty_slot(
    wire: tuple[socket.socket, socket.socket],
) -> None:
    own = Slot({})
    own.send(wire[0])
    assert receive_slot(wire[1], {}, 1.0).size == 0
    assert own.copy(own_slot({})).size == 0
    own.close()


def test_too_little_memory_is_said() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(CannotWriteError, match="cannot write 40000 bytes of shared memory"):
            Slot({"weight": (10_000,)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
