"""Serves one trial over one socket, in one process per rank."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from harness.frameworks.base import Place
from harness.frameworks.load import has_ranks, training_backend
from harness.frameworks.model_source import shapes_of
from harness.protocol.messages import TO_WORKER, Hello, ToWorkerMessage
from harness.protocol.slot import own_slot, receive_slot
from harness.protocol.wire import Wire, WireClosedError, WireError
from harness.worker.lines import SoleLine
from harness.worker.ranks import Member, fork_ranks
from harness.worker.report import error_report
from harness.worker.worker import Worker, folder_of, source_of

SLOT_TIMEOUT_S = 10.0
"""Timeout for the slot, which follows HELLO immediately."""
RENDEZVOUS = "ranks"
"""The file in the worker's scratch folder through which ranks find each other."""


def serve_trial(connection: socket.socket, close_network: Callable[[], None] | None = None) -> None:
    """Serve one trial over a connected socket; returns when the referee closes it.

    With several ranks it returns in each of them.

    Args:
        connection: the socket to the referee.
        close_network: called in each process after the ranks have connected and before the
            submission is loaded.
    """
    wire: Wire[ToWorkerMessage] = Wire(connection, TO_WORKER)
    rank, line = Member(0, SoleLine(wire))
    folder = ""
    try:
        hello, _ = wire.receive()
        if not isinstance(hello, Hello):
            raise WireError(f"the first message is {hello.kind}; expected HELLO")
        folder = folder_of(hello)
        shapes = shapes_of(source_of(hello))
        if has_ranks(hello.framework, hello.devices):
            rank, line = fork_ranks(wire, hello.devices)
        slot = own_slot(shapes) if rank else receive_slot(connection, shapes, SLOT_TIMEOUT_S)
        place = Place(hello.devices, rank, str(Path.cwd() / RENDEZVOUS))
        backend = training_backend(hello.framework, hello.device, hello.threads, place)
        if close_network is not None:
            close_network()
        Worker(line, hello, backend, slot).serve()
    except WireClosedError:
        return
    except MemoryError as error:
        line.report(error_report(error, folder), error)
    except SystemExit as error:  # of `exit()` at an import, say: else only the log would tell
        line.report(error_report(error, folder), error)
    except Exception as error:  # whatever a submission raises is its trial's end, and is reported
        # First the log, as the referee may kill a worker as soon as it has the report. Printing may
        # fail: the log may be full, and `sys.stderr` is whatever the submission has made of it.
        with suppress(Exception):
            traceback.print_exc()
        line.report(error_report(error, folder), error)
