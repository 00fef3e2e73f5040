"""Variable-storage hybrid of conjugate gradients and BFGS in JAX; see `submission.py`.

All iterations on a batch, line searches included, are one compiled function. Lengths are float32
there, float64 in `submission.py`.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from harness.submission.interface import Batch, Stream
from submissions.common.batch_loss_jax import FixedLoss, flatten
from submissions.common.compiled_methods_jax import Carry, CompiledMethod, Now
from submissions.common.line_search_jax import Along, Loss, Trial, Wolfe, search, trial
from submissions.common.methods_jax import Factor, State, choose

POWELL = 0.2
LEAST_CURVATURE = 1e-10


class Memory(NamedTuple):
    """The corrections of H, and the last step."""

    steps: Array
    """s, (m, n), of which the first `num_stored` are in use."""
    changes: Array
    """y, (m, n)."""
    num_stored: Array
    scale: Array
    """H_0 over the identity."""
    is_known: Array
    """Whether a pair has been stored since the start."""
    last: tuple[Array, Array, Array]
    """Last step s, gradient before it, and y."""
    is_conjugate: Array
    """Whether the next direction is conjugate to the last step."""


class Iterate(NamedTuple):
    """A point with its value, gradient and memory, and the number of evaluations so far."""

    point: Array
    value: Array
    gradient: Array
    memory: Memory
    evaluations: Array


class Submission(CompiledMethod):
    """Buckley and LeNir's method on mini-batches."""

    searches_lengths = True

    def begin(self) -> State:
        """Start with no corrections."""
        zeros, _ = flatten(self.problem.parameters)
        zeros = jnp.zeros_like(zeros)
        stack = jnp.zeros((max(1, int(self.point["memory"])), len(zeros)))
        none, no = jnp.zeros((), jnp.int32), jnp.zeros((), jnp.bool_)
        memory = Memory(stack, stack, none, jnp.ones(()), no, (zeros, zeros, zeros), no)
        return {"memory": memory, "evaluations": none}

    def draw(self, stream: Stream[Array]) -> tuple[Batch[Array], ...]:
        """One large batch."""
        return (self.large_batch(stream),)

    def update(
        self, carry: Carry, batches: tuple[Batch[Array], ...], now: Now
    ) -> tuple[Carry, Array]:
        """Iterate on one large batch; the loss is that before the first iteration."""
        (batch,) = batches
        point, unflatten = flatten(carry.parameters)
        loss_of = FixedLoss(self.problem, batch, now.key)

        def loss(vector: Array) -> tuple[Array, Array]:
            value, gradients = loss_of(unflatten(vector))
            return value, flatten(gradients)[0]

        before, gradient = loss(point)
        # Directions are not conjugate across batches.
        memory = carry.state["memory"]._replace(is_conjugate=jnp.zeros((), jnp.bool_))
        initial = Iterate(point, before, gradient, memory, jnp.ones((), jnp.int32))
        end = jax.lax.fori_loop(
            0,
            int(self.point["iterations"]),
            lambda _, iterate: self._iterate(loss, iterate, now.factor),
            initial,
        )
        state = {"memory": end.memory, "evaluations": end.evaluations}
        return Carry(unflatten(end.point), state, carry.buffers), before

    def passes(self, batches: tuple[Batch[Array], ...]) -> tuple[int, int, int]:
        """As many of each as there were evaluations of the loss."""
        count, (batch,) = int(self.state["evaluations"]), batches
        return count, count, count * len(batch.targets)

    def _iterate(self, loss: Loss, at: Iterate, factor: Factor) -> Iterate:
        """One iteration: a search along the direction, and an update of the memory at its end."""
        direction, memory = _direction(at.memory, at.gradient, self._room)
        is_descent = at.gradient @ direction < 0.0
        direction = jnp.where(is_descent, direction, -at.gradient)
        memory = choose(is_descent, memory, _forget(memory))
        start = Trial(jnp.zeros(()), at.value, at.gradient @ direction, at.gradient)
        along = partial(trial, loss, at.point, direction)
        end, count = self._take(along, start, _first_length(memory, start), factor)
        step = end.length * direction
        new_memory = _learn(memory, step, at.gradient, end.gradient - at.gradient, self._room)
        # A length of zero due to the schedule is not a failed search.
        fallback_memory = choose(factor != 0.0, _forget(memory), memory)
        new = Iterate(at.point + step, end.value, end.gradient, new_memory, at.evaluations + count)
        old = at._replace(memory=fallback_memory, evaluations=at.evaluations + count)
        return choose(end.length != 0.0, new, old)

    @property
    def _room(self) -> int:
        return int(self.point["memory"])

    def _take(
        self, along: Along, start: Trial, first: Array, factor: Factor
    ) -> tuple[Trial, Array]:
        """The trial at the search's length times the schedule's factor, and how many it took."""
        point = self.point
        rule = Wolfe(point["decrease"], point["curvature"], int(point["evaluations"]))
        end, count = search(rule, along, start, first)
        if "schedule" not in point:
            return end, count
        result: tuple[Trial, Array] = jax.lax.cond(
            jnp.asarray(factor == 1.0),
            lambda: (end, count),
            lambda: (along(factor * end.length), count + 1),
        )
        return result


def _direction(memory: Memory, gradient: Array, room: int) -> tuple[Array, Memory]:
    """d_k, and the memory, a new cycle's if Powell's criterion requires one."""
    image = _inverse(memory, gradient)
    step, before, change = memory.last
    conjugate = (change @ image) / (change @ step) * step - image
    overlaps = jnp.abs(image @ before) >= POWELL * (image @ gradient)
    is_over = memory.is_conjugate & (overlaps | (conjugate @ gradient >= 0.0))
    new_cycle = _store(_forget(memory), step, change, room)
    direction = jnp.where(memory.is_conjugate, conjugate, -image)
    direction = jnp.where(is_over, -_inverse(new_cycle, gradient), direction)
    return direction, choose(is_over, new_cycle, memory)


def _first_length(memory: Memory, start: Trial) -> Array:
    """1; for a conjugate direction, the length predicted to change f as the last step did.

    min(1, 1 / ||g||_1), the first length along a gradient, where nothing is known of its scale.
    """
    cautious = 1.0 / jnp.maximum(1.0, jnp.abs(start.gradient).sum())
    step, before, _ = memory.last
    length = jnp.where(memory.is_conjugate, (before @ step) / start.slope, 1.0)
    return jnp.where(memory.is_known, length, cautious)


def _learn(memory: Memory, step: Array, before: Array, change: Array, room: int) -> Memory:
    """Store the pair while there is room, else make the next direction conjugate to it."""
    product = step @ change
    is_curved = product > LEAST_CURVATURE * (change @ change)
    idle = memory._replace(is_conjugate=jnp.zeros((), jnp.bool_))
    base_memory = idle._replace(is_known=jnp.ones((), jnp.bool_))
    full = base_memory._replace(last=(step, before, change), is_conjugate=jnp.ones((), jnp.bool_))
    has_room = memory.num_stored < room
    new_memory = choose(has_room, _store(base_memory, step, change, room), full)
    return choose(is_curved, new_memory, idle)


def _store(memory: Memory, step: Array, change: Array, room: int) -> Memory:
    """The memory with one more pair; the first pair gives H_0 its scale."""
    first = (step @ change) / (change @ change)
    memory = memory._replace(scale=jnp.where(memory.num_stored == 0, first, memory.scale))
    if room == 0:
        return memory
    return memory._replace(
        steps=memory.steps.at[memory.num_stored].set(step),
        changes=memory.changes.at[memory.num_stored].set(change),
        num_stored=memory.num_stored + 1,
    )


def _forget(memory: Memory) -> Memory:
    """No corrections: a new cycle along the gradient."""
    no = jnp.zeros((), jnp.bool_)
    return memory._replace(num_stored=jnp.zeros((), jnp.int32), scale=jnp.ones(()), is_conjugate=no)


def _inverse(memory: Memory, vector: Array) -> Array:
    """H v by the two-loop recursion (Nocedal, 1980), H_0 = `scale` I, oldest correction first."""

    def reduce(v: Array, pair: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        s, y, is_stored = pair
        weight = jnp.where(is_stored, (s @ v) / (s @ y), 0.0)
        return v - weight * y, weight

    def expand(v: Array, pair: tuple[Array, Array, Array, Array]) -> tuple[Array, None]:
        s, y, is_stored, weight = pair
        change = weight - (y @ v) / (s @ y)
        return v + jnp.where(is_stored, change, 0.0) * s, None

    is_stored = jnp.arange(len(memory.steps)) < memory.num_stored
    pairs = (memory.steps, memory.changes, is_stored)
    v, weights = jax.lax.scan(reduce, vector, pairs, reverse=True)
    v, _ = jax.lax.scan(expand, memory.scale * v, (*pairs, weights))
    return v
