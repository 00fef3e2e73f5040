"""Submissions in JAX whose step is one compiled function, and the passes in it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from jax.sharding import NamedSharding

from harness.submission.interface import Batch, Hyperparameters, Stream
from submissions.common.methods_jax import Factor, LiveProblem, Method, State, Values


class Carry(NamedTuple):
    """What a compiled step takes and returns anew."""

    parameters: Values
    state: State
    buffers: Values
    """Running batch statistics; those of a method that averages weights stay as they are."""


class Now(NamedTuple):
    """What else a compiled step depends on."""

    key: Array
    """A key of this step's own."""
    factor: Factor
    """The schedule's."""
    number: Array | int
    """Steps taken before, from 0."""
    plan: Array | np.ndarray[Any, Any] | None = None
    """What `CompiledMethod.plan` returned."""


Step = Callable[..., tuple[Carry, Array]]
"""A compiled `CompiledMethod._compiled_step`."""


class CompiledMethod(Method):
    """A method whose step, all of its passes included, is one compiled function.

    A pass that only some steps make is a branch of it, so that the warm-up compiles that, too.
    """

    def setup(self, problem: LiveProblem, hyperparameters: Hyperparameters) -> None:
        """Store the problem, initialise the state and make the step, compiled when first called."""
        super().setup(problem, hyperparameters)
        # On the CPU the referee's snapshots may be views of these buffers.
        devices = next(iter(self.parameters.values())).devices()
        is_cpu = all(device.platform == "cpu" for device in devices)
        options: dict[str, Any] = {} if is_cpu else {"donate_argnums": (0, 1)}
        if isinstance(problem.everywhere, NamedSharding):
            # Else the compiler might leave a parameter divided as its gradient was computed.
            options["out_shardings"] = problem.everywhere
        self._run_step: Step = jax.jit(self._compiled_step, **options)

    @abstractmethod
    def update(
        self, carry: Carry, batches: tuple[Batch[Array], ...], now: Now
    ) -> tuple[Carry, Array]:
        """The carry after a step and the loss before it; a pure function."""

    def draw(self, stream: Stream[Array]) -> tuple[Batch[Array], ...]:
        """The batches of one step; one of the workload's size by default."""
        return (stream.next(),)

    def plan(self) -> np.ndarray[Any, Any] | None:
        """What this step depends on that is decided outside of the compiled function."""
        return None

    def passes(self, batches: tuple[Batch[Array], ...]) -> tuple[int, int, int]:
        """Forward passes, backward passes and examples sent forward of the last step."""
        return len(batches), len(batches), sum(len(batch.targets) for batch in batches)

    def move(self, stream: Stream[Array]) -> Array:
        """Draw the batches, run the compiled step and count its passes."""
        batches, problem = self.draw(stream), self.problem
        carry, loss = self._run_step(
            self.parameters,
            self.state,
            problem.buffers,
            batches,
            Now(problem.key, self.factor, self.steps, self.plan()),
        )
        self.parameters, self.state, problem.buffers = carry
        problem.note_passes(*self.passes(batches))
        return loss

    def _compiled_step(
        self,
        parameters: Values,
        state: State,
        buffers: Values,
        batches: tuple[Batch[Array], ...],
        now: Now,
    ) -> tuple[Carry, Array]:
        key = jax.random.fold_in(now.key, now.number + 1)
        return self.update(Carry(parameters, state, buffers), batches, now._replace(key=key))


@contextmanager
def trace_passes(problem: LiveProblem, buffers: Values, key: Array) -> Iterator[None]:
    """Let the problem's passes be part of a compiled function.

    In a `with` block they move these buffers, which `problem.buffers` has afterwards but before the
    block ends, and draw from this key.
    """
    outer_buffers, random = problem.buffers, problem.random_state()
    problem.buffers = buffers
    problem.set_random_state((key, 0))
    try:
        yield
    finally:
        problem.buffers = outer_buffers
        problem.set_random_state(random)


def train_pass(
    problem: LiveProblem, carry: Carry, batch: Batch[Array], key: Array
) -> tuple[Array, Values, Values]:
    """Loss, gradients and the running statistics after them; a pure function."""
    with trace_passes(problem, carry.buffers, key):
        loss, gradients = problem.value_and_grad(carry.parameters, batch)
        return loss, gradients, problem.buffers
