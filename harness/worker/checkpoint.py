"""A worker's part of a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypedDict, cast

import numpy as np
import numpy.typing as npt

from harness.protocol.messages import MOST_STATE_TEXT, Snapshot
from harness.protocol.wire import Tensors
from harness.submission.state import ArrayT, StateDict
from harness.worker.state import Flattener, FromHost, ToHost, unflatten


class WorkerState(TypedDict, Generic[ArrayT]):
    """Everything that a worker needs to resume; its arrays are not copied yet."""

    model: dict[str, npt.NDArray[np.float32]]
    """Parameters and buffers."""
    submission: StateDict[ArrayT]
    step: int
    position: int
    """The position of the stream."""
    passes: dict[str, int]
    readings: npt.NDArray[np.float64]
    """Every fraction of the budget that was read."""
    random: StateDict[ArrayT]
    """The states of all random generators."""


def pack_state(
    state: Callable[[], WorkerState[ArrayT]], to_host: ToHost, step: int, limit_bytes: int
) -> tuple[Snapshot, Tensors]:
    """The message of a snapshot, with the state and its tensors if requested and not too large.

    Args:
        state: returns the worker's state.
        to_host: converts an array of the framework to numpy.
        step: how many steps were made.
        limit_bytes: the largest state to send; 0 for none.
    """
    if not limit_bytes:
        return Snapshot(step=step), {}
    flattener = Flattener(to_host)
    try:
        text = flattener.text(state())
    except Exception as error:  # a submission's own; it costs a checkpoint and no more
        why = f"{type(error).__name__}: {error}"[:1000]
        return Snapshot(step=step, no_state=why), {}
    if len(text) > MOST_STATE_TEXT:
        size = f"{len(text)} characters beside its arrays; {MOST_STATE_TEXT} are allowed"
        return Snapshot(step=step, no_state=size), {}
    if flattener.nbytes + len(text) > limit_bytes:
        size = f"{flattener.nbytes + len(text)} bytes; {limit_bytes} are allowed"
        return Snapshot(step=step, no_state=size), {}
    return Snapshot(step=step, state=text), flattener.tensors


def unpack_state(text: str, tensors: Tensors, from_host: FromHost[ArrayT]) -> WorkerState[ArrayT]:
    """Restore the state from a message made by `pack_state`."""
    # The log of a trial names its checkpoint's hash: what comes back is what was packed.
    return cast("WorkerState[ArrayT]", unflatten(text, tensors, from_host))
