"""How the defences against what a worker hands over are switched off."""

from __future__ import annotations

import base64
import json
import math
import pickle
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from harness.frameworks.examples import Parameters
from harness.plan.trial import Trial
from harness.protocol import wire as wire_module
from harness.protocol.messages import Message
from harness.protocol.wire import Wire
from harness.record.schema import ToldEvent
from harness.referee import conversation, referee, resumption, snapshots
from harness.referee.checkpoint import CHECKPOINT_FILE, Checkpoint, read_checkpoint

from .arena import LOOKS, Arena, Ear, Outcome


def headers_are_pickles(arena: Arena) -> None:
    """Let the referee's wire take pickles, too."""

    def loads(text: str) -> object:
        try:
            return json.loads(text)
        except ValueError:
            return pickle.loads(text.encode())

    arena.patch.setattr(wire_module, "json", SimpleNamespace(loads=loads, dumps=json.dumps))


def was_code_run(_: Outcome | None = None) -> bool:
    """Whether a payload was executed in the referee's process; forgotten afterwards."""
    return bool(vars(sys).pop("was_pickled_code_run", False))


class Mortal(Ear):
    """Dies, and the referee with it, at the third snapshot: one behind a checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.remaining = 3

    def event(self, event: ToldEvent) -> None:
        self.remaining -= event.kind == "snapshot"
        if self.remaining == 0:
            raise KeyboardInterrupt


def with_checkpoints(arena: Arena) -> None:
    """Ask for the worker's state at every evaluated grid point."""
    arena.options = replace(arena.options, checkpoint_s=0.0)


def left_with_a_checkpoint(arena: Arena, name: str) -> Trial:
    """A case's trial whose referee has died."""
    with_checkpoints(arena)
    trial, ear = arena.trial(name), arena.ear
    arena.ear = Mortal()
    with suppress(KeyboardInterrupt):
        arena.run_planned(trial)
    arena.ear = ear
    assert (arena.store / trial.folder / CHECKPOINT_FILE).is_file()
    return trial


def checkpoint_is_unpickled(arena: Arena) -> bool:
    """A successor that unpickles what its predecessor has left runs the code."""

    def unpickling(*what: Any) -> Checkpoint | None:
        if (checkpoint := read_checkpoint(*what)) is not None:
            pickle.loads(base64.b64decode(checkpoint.state))
        return checkpoint

    trial = left_with_a_checkpoint(arena, "checkpoint_code")
    arena.patch.setattr(resumption, "read_checkpoint", unpickling)
    arena.run_planned(trial)
    return was_code_run()


def memory_is_shared(arena: Arena) -> None:
    """Let the referee look into the worker's memory, in the place of a copy."""

    def map_parameters(tensors: object, shapes: Mapping[str, tuple[int, ...]]) -> Parameters:
        shared = np.memmap(arena.elsewhere / "memory", np.float32, "r")
        return {n: shared[: math.prod(s)].reshape(s) for n, s in shapes.items()}

    arena.patch.setattr(snapshots, "checked_parameters", map_parameters)


def unchecked_snapshots(arena: Arena) -> None:
    arena.patch.setattr(snapshots, "checked_parameters", lambda tensors, shapes: tensors)


def infinite_counts_as_finite(arena: Arena) -> None:
    arena.patch.setattr(snapshots, "are_finite", lambda parameters: True)


def welcomes_the_unasked(arena: Arena) -> bool:
    """A referee that takes what it has not asked for."""
    arena.patch.setattr(conversation.Conversation, "refuse_unasked", lambda self: None)
    outcome = arena.run("fake_snapshot", seconds=2.0, steps=None, grid=LOOKS)
    return outcome.result.state != "invalid"


def raw_words(arena: Arena) -> None:
    arena.patch.setattr(referee, "printable", lambda text: text)
    arena.patch.setattr(conversation, "printable", lambda text: text)


def any_size(arena: Arena) -> None:
    """Let a peer announce what it likes."""
    init = Wire.__init__

    def init_unlimited(
        self: Wire[Message],
        connection: socket.socket,
        incoming: TypeAdapter[Message],
        max_tensor_bytes: int = 0,
    ) -> None:
        init(self, connection, incoming, 2**60)

    arena.patch.setattr(Wire, "__init__", init_unlimited)


def falls_for_any_size(arena: Arena) -> bool:
    """Without a limit the referee reserves what it is told to, or fails to."""
    any_size(arena)
    try:
        return arena.run("declare_too_much").result.state != "invalid"
    except MemoryError:
        return True
