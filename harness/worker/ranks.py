"""Starts a worker's ranks: its first process forks them before loading the submission.

At that point the first process is confined and has read HELLO, and has neither computed nor loaded
anything but the framework. The other ranks inherit its confinement: namespaces, filters, limits,
control group, and the process group by which the referee freezes and kills them all.
"""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from harness.protocol.messages import TO_REFEREE, TO_WORKER, ToWorkerMessage
from harness.protocol.wire import Wire
from harness.worker.lines import Follower, FollowerLine, LeaderLine, Line


class Member(NamedTuple):
    """The rank of this process."""

    rank: int
    line: Line


def fork_ranks(wire: Wire[ToWorkerMessage], world_size: int) -> Member:
    """Fork the other ranks; returns in each of them.

    Args:
        wire: the first process's wire to the referee, closed in the others.
        world_size: the number of ranks, including this one.
    """
    followers: list[Follower] = []
    for rank in range(1, world_size):
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            wire.close()
            os.close(writer)
            ours.close()
            for earlier in followers:
                earlier.connection.close()
                os.close(earlier.numbers)
            return Member(rank, FollowerLine(Wire(theirs, TO_WORKER), reader))
        theirs.close()
        os.close(reader)
        followers.append(Follower(rank, pid, ours, Wire(ours, TO_REFEREE), writer))
    return Member(0, LeaderLine(wire, followers))
