import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.protocol.messages import (
    TO_REFEREE,
    TO_WORKER,
    Glance,
    Go,
    Load,
    Message,
    Ready,
    Snapshot,
    Stop,
    ToRefereeMessage,
    ToWorkerMessage,
)
from harness.protocol.wire import (
    MAX_HEADER_BYTES,
    Wire,
    WireClosedError,
    WireError,
    WireTimeoutError,
)

Ends = tuple[Wire[ToRefereeMessage], Wire[ToWorkerMessage], socket.socket]


@contextmanager
def ends(limit: int = 2**30) -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Wire(ours, TO_REFEREE, limit), Wire(theirs, TO_WORKER), theirs


def frame(header: bytes) -> bytes:
    return struct.pack(">I", len(header)) + header


def test_a_message_and_its_tensors_arrive_as_sent() -> None:
    with ends() as (referee, worker, _):
        tensors: dict[str, npt.NDArray[np.generic]] = {
            "w": np.arange(12, dtype=np.float32).reshape(3, 4).T,
            "empty": np.empty((0, 5), np.int64),
            "scalar": np.array(3.5),
        }
        worker.send(Snapshot(step=7), tensors)
        message, received = referee.receive(1.0)
        assert message == Snapshot(step=7)
        assert list(received) == list(tensors)
        for name, tensor in tensors.items():
            assert received[name].dtype == tensor.dtype
            np.testing.assert_array_equal(received[name], tensor)


def test_what_was_sent_shares_nothing_with_what_arrives() -> None:
    with ends() as (referee, worker, _):
        mine = np.ones(4, np.float32)
        worker.send(Snapshot(step=7), {"w": mine, "tied": mine})
        mine[:] = 5.0
        _, tensors = referee.receive(1.0)
        tensors["tied"][:] = 3.0
        assert tensors["w"].tolist() == [1.0] * 4


def test_a_frame_larger_than_the_sockets_buffer_passes() -> None:
    with ends() as (referee, worker, _):
        big = {"w": np.random.default_rng(0).standard_normal(2**20)}
        sender = threading.Thread(target=worker.send, args=(Snapshot(step=1), big))
        sender.start()
        _, tensors = referee.receive(5.0)
        sender.join()
        np.testing.assert_array_equal(tensors["w"], big["w"])


def test_silence_times_out_and_a_closed_peer_is_noticed() -> None:
    with ends() as (referee, worker, _):
        with pytest.raises(WireTimeoutError):
            referee.receive(0.01)
        worker.close()
        with pytest.raises(WireClosedError):
            referee.receive(0.01)


def test_a_frame_cut_short_times_out() -> None:
    with ends() as (referee, _, raw):
        raw.send(struct.pack(">I", 100) + b'{"message"')
        with pytest.raises(WireTimeoutError):
            referee.receive(0.05)


@pytest.mark.parametrize(
    "layout",
    [
        [["w", "object", [1]]],
        [["w", "float32", [-1]]],
        [["w", "float32", [2**60]]],
        [["w", "float32", [1] * 9]],
        [["w", "float32", [1]], ["w", "float32", [1]]],
        [["", "float32", [1]]],
        [["w", "float32", [True]]],
        [["w", "float32"]],
        [["w", "float64", [2**28]]],
        "w",
    ],
)
def test_a_hostile_layout_is_refused_before_anything_is_allocated(layout: object) -> None:
    with ends() as (referee, _, raw):
        raw.send(frame(json.dumps({"message": {"kind": "READY"}, "tensors": layout}).encode()))
        with pytest.raises(WireError):
            referee.receive(0.1)


def test_a_header_beyond_the_limit_is_refused() -> None:
    with ends() as (referee, _, raw):
        raw.send(struct.pack(">I", MAX_HEADER_BYTES + 1))
        with pytest.raises(WireError, match="at most"):
            referee.receive(0.1)


def test_a_message_for_the_other_side_is_refused() -> None:
    with ends() as (referee, worker, _):
        worker.send(Stop(reason="look"))
        with pytest.raises(WireError):
            referee.receive(0.1)


def test_a_worker_gets_what_the_referee_says() -> None:
    with ends() as (referee, worker, _):
        messages: tuple[Message, ...] = (
            Load(train_folder="x"),
            Go(fraction=0.5),
            Glance(at_step=3),
            Stop(reason="budget"),
        )
        for message in messages:
            referee.send(message)
            assert worker.poll(1.0)
            assert worker.receive(1.0)[0] == message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_an_error(header: bytes) -> None:
    with ends() as (referee, worker, raw):
        raw.send(frame(header))
        worker.close()
        try:
            message, _ = referee.receive(0.1)
        except WireError:
            message = Ready()
        assert message.kind
