"""Asynchronous SGD of several workers on simulated clocks in JAX; see `submission.py`.

The p moves of a step are one compiled loop over their batches; which workers make them is decided
beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Batch, Stream
from submissions.common.batch_loss_jax import FixedLoss
from submissions.common.compiled_methods_jax import Carry, CompiledMethod, Now
from submissions.common.methods_jax import Factor, State, Values, choose, stack_batches

RULES = ("elastic", "downpour")


class Turn(NamedTuple):
    """One move: its worker, its batch and its key; or several moves, stacked."""

    worker: Array
    batch: Batch[Array]
    key: Array


class Submission(CompiledMethod):
    """Workers that meet at a centre, each in its own time; `parameters` holds the centre."""

    def begin(self) -> State:
        """Start all workers, stacked along a first dimension, at the centre, at time 0."""
        count = int(self.point["workers"])
        if self.point["rule"] not in RULES:
            raise UnknownNameError("rule", self.point["rule"], RULES)
        if count < 1 or self.point["slowness"] < 0.0 or int(self.point["period"]) < 1:
            raise HarnessError(
                f"workers is {count}, slowness {self.point['slowness']}, period "
                f"{self.point['period']}",
                "allowed: at least 1, at least 0, and at least 1",
            )
        centre = dict(self.problem.parameters)
        workers = jax.tree.map(lambda x: jnp.stack([x] * count), centre)
        self.clocks = [self._duration(i) for i in range(count)]
        state: State = {"workers": workers, "steps": jnp.zeros(count, jnp.int32)}
        if self.point["rule"] == "downpour":
            state["pending"] = jax.tree.map(jnp.zeros_like, workers)
        return state

    def draw(self, stream: Stream[Array]) -> tuple[Batch[Array], ...]:
        """A batch for each move."""
        return tuple(stream.next() for _ in range(int(self.point["workers"])))

    def plan(self) -> np.ndarray[Any, Any]:
        """The workers in the order in which they move: the one that finishes first, of several the
        lowest.
        """
        order = []
        for _ in self.clocks:
            i = min(range(len(self.clocks)), key=lambda j: (self.clocks[j], j))
            self.clocks[i] += self._duration(i)
            order.append(i)
        return np.array(order, dtype=np.int32)

    def state_dict(self) -> State:
        """The state of `CompiledMethod`, and the clocks."""
        return {**super().state_dict(), "clocks": list(self.clocks)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state returned by `state_dict`."""
        super().load_state_dict(state)
        self.clocks = list(state["clocks"])

    def update(
        self, carry: Carry, batches: tuple[Batch[Array], ...], now: Now
    ) -> tuple[Carry, Array]:
        """As many moves as there are workers; the loss is the mean of theirs before them."""
        rate = self.point["learning_rate"] * now.factor

        def advance(at: tuple[Values, State], turn: Turn) -> tuple[tuple[Values, State], Array]:
            return self._advance(*at, turn, rate)

        keys = jax.random.split(now.key, len(batches))
        start = carry.parameters, carry.state
        turns = Turn(jnp.asarray(now.plan), stack_batches(batches), keys)
        (centre, state), losses = jax.lax.scan(advance, start, turns)
        return Carry(centre, state, carry.buffers), losses.mean()

    def _advance(
        self, centre: Values, state: State, turn: Turn, rate: Factor
    ) -> tuple[tuple[Values, State], Array]:
        """Centre and state after a move of one worker, and its loss before that."""
        i, is_downpour = turn.worker, self.point["rule"] == "downpour"
        worker: Values = jax.tree.map(lambda x: x[i], state["workers"])
        meets = state["steps"][i] % int(self.point["period"]) == 0
        if is_downpour:
            pending: Values = jax.tree.map(lambda v: v[i], state["pending"])
            pushed_centre = jax.tree.map(jnp.add, centre, pending)
            centre = choose(meets, pushed_centre, centre)
            worker = choose(meets, pushed_centre, worker)
            pending = choose(meets, jax.tree.map(jnp.zeros_like, pending), pending)
        loss, gradients = FixedLoss(self.problem, turn.batch, turn.key)(worker)
        decay = self.point["weight_decay"]
        step = jax.tree.map(
            lambda g, x: -rate * (g + decay * x), self.clip_gradients(gradients), worker
        )
        if is_downpour:
            pending = jax.tree.map(jnp.add, pending, step)
            state = {**state, "pending": _with_row(state["pending"], i, pending)}
        else:
            alpha = jnp.where(meets, self.point["moving_rate"], 0.0)
            pull = jax.tree.map(lambda x, c: alpha * (x - c), worker, centre)
            worker = jax.tree.map(jnp.subtract, worker, pull)
            centre = jax.tree.map(jnp.add, centre, pull)
        workers = _with_row(state["workers"], i, jax.tree.map(jnp.add, worker, step))
        new = {**state, "workers": workers, "steps": state["steps"].at[i].add(1)}
        return (centre, new), loss

    def _duration(self, i: int) -> float:
        """The time of one of a worker's steps."""
        return 1.0 + float(self.point["slowness"]) * i / max(1, int(self.point["workers"]) - 1)


def _with_row(stacked: Values, i: Array, values: Values) -> Values:
    """Arrays stacked along a first dimension, those of one worker replaced."""
    result: Values = jax.tree.map(lambda a, x: a.at[i].set(x), stacked, values)
    return result
