"""The line to a fork server: nothing waits for ever for one that is stopped."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from harness.core.errors import HarnessError
from harness.sandboxes import fork_client
from harness.sandboxes.fork_client import ForkServer, fork_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServer]:
    monkeypatch.setattr(fork_client, "_SERVERS", {})
    yield fork_server("torch", 1, has_own_users=False)
    for left in fork_client._SERVERS.values():
        left.close()


def stop(server: ForkServer) -> None:
    os.kill(server._process.pid, signal.SIGSTOP)
    while server.is_alive:
        time.sleep(0.001)


def test_one_that_is_stopped_does_not_hold_up_its_end(server: ForkServer) -> None:
    stop(server)
    server.close()
    assert server._process.returncode == -signal.SIGKILL


def test_one_that_is_stopped_is_replaced(server: ForkServer) -> None:
    stop(server)
    assert fork_server("torch", 1, has_own_users=False) is not server
    assert server._process.returncode == -signal.SIGKILL


def test_one_that_does_not_answer_is_an_error(
    server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_client, "ANSWER_TIMEOUT_S", 0.2)
    stop(server)
    with pytest.raises(HarnessError, match=r"has not answered for 0.2 s\n.*--sandbox kernel"):
        server.fork({}, [0, 1])
    assert server.status(1, timeout_s=0.1) is None
