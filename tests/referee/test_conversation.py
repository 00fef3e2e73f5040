"""How long the referee waits for an answer."""

import socket
import threading
from collections.abc import Iterator
from typing import cast

import pytest

from harness.protocol.messages import TO_REFEREE, Ready, ToRefereeMessage
from harness.protocol.wire import Wire, WireTimeoutError
from harness.record.recorder import Recorder
from harness.referee import conversation
from harness.referee.clock import Clock
from harness.referee.conversation import Conversation

LATE_S = 0.5


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Conversation]:
    """With a worker that answers after the grace of a small model."""
    monkeypatch.setattr(conversation, "GRACE_S", 0.2)
    ours, theirs = socket.socketpair()
    worker: Wire[ToRefereeMessage] = Wire(theirs, TO_REFEREE)
    answer = threading.Timer(LATE_S, lambda: worker.send(Ready()))
    answer.start()
    wire: Wire[ToRefereeMessage] = Wire(ours, TO_REFEREE)
    yield Conversation(wire, cast(Recorder, None), Clock(), budget_s=60.0)
    answer.join()
    ours.close()
    theirs.close()


def test_a_small_hand_over_is_not_waited_for(talk: Conversation) -> None:
    with pytest.raises(WireTimeoutError, match=r"did not hand over within 0\.2 s"):
        talk.expect_in_time(Ready, "hand over", most_bytes=1_000)


def test_a_large_hand_over_has_time_by_its_bytes(talk: Conversation) -> None:
    message, _ = talk.expect_in_time(Ready, "hand over", most_bytes=2_000_000_000)
    assert message == Ready()
