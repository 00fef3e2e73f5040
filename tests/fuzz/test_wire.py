"""Bytes on the wire, from a hostile worker: a message, or an error of the wire's; never a hang."""

from __future__ import annotations

import json
import socket
import struct

from hypothesis import example, given
from hypothesis import strategies as st

from harness.core.canonical import canonical_json
from harness.protocol.messages import TO_REFEREE, Failed, Snapshot, Stopped, ToRefereeMessage
from harness.protocol.wire import DTYPES, Wire, WireError

from .promptly import promptly

MESSAGES = [
    Snapshot(step=3, state="x").model_dump(),
    Stopped(step=3, examples=4, train_loss=0.5).model_dump(),
    Failed(cause="exception", error="e", frame="f").model_dump(),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
SIZE = st.integers(-1, 5) | st.sampled_from([2**31, 2**39, 2**62, True, 1.5, None])
LAYOUT = st.lists(
    st.tuples(st.text(max_size=5), st.sampled_from([*DTYPES, "object"]), st.lists(SIZE, max_size=9))
    | JSON,
    max_size=3,
)


def receive(content: bytes) -> ToRefereeMessage | None:
    """What a referee makes of these bytes, after which the worker hangs up."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(content)
        theirs.shutdown(socket.SHUT_WR)
        try:
            with promptly():
                message, tensors = Wire(ours, TO_REFEREE, max_tensor_bytes=2**16).receive(5.0)
        except WireError as error:
            assert str(error)
            return None
    canonical_json(message.model_dump(mode="json")).encode()
    assert sum(tensor.nbytes for tensor in tensors.values()) <= 2**16
    return message


def frame(message: object, layout: object, tail: bytes = b"") -> bytes:
    header = json.dumps({"message": message, "tensors": layout}).encode()
    return struct.pack(">I", len(header)) + header + tail


@given(st.binary(max_size=200))
@example(struct.pack(">I", 2**32 - 1))
@example(struct.pack(">I", 5000) + b'{"a":' * 1000)
def test_any_bytes(content: bytes) -> None:
    receive(content)


@given(st.data())
def test_any_values_in_messages(data: st.DataObject) -> None:
    message = dict(data.draw(st.sampled_from(MESSAGES)))
    for key in data.draw(st.lists(st.sampled_from(sorted(message)), max_size=3)):
        message[key] = data.draw(JSON)
    receive(frame(message, []))


@given(LAYOUT, st.binary(max_size=50))
@example([["a", "float32", [2**39, 2**39, 0]]], b"")
def test_any_tensors(layout: object, tail: bytes) -> None:
    receive(frame(MESSAGES[0], layout, tail))


def test_no_number_that_the_record_cannot_hold_passes() -> None:
    for number in (float("nan"), float("inf")):
        assert receive(frame(MESSAGES[1] | {"train_loss": number}, [])) is None
    assert receive(frame(MESSAGES[0] | {"state": "\ud800"}, [])) is None
    assert receive(frame(MESSAGES[1], [])) is not None
