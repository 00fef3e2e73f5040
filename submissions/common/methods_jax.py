"""Base class of submissions in JAX that are classes, as `methods` has it in torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import NamedSharding

from harness.submission.interface import (
    Batch,
    Capture,
    Evaluation,
    Hyperparameters,
    Problem,
    Stream,
)
from submissions.common import schedules
from submissions.common.scheduled_method import ScheduledMethod

Values = dict[str, Array]
"""Parameters, gradients or directions by name."""
Factor = Array | float
TreeT = TypeVar("TreeT")
TINY = float(np.finfo(np.float32).tiny)
"""The smallest normal float32, the precision of everything here."""
State = dict[str, Any]
"""What a method keeps beside the parameters: arrays, or trees of them, by name."""


class LiveProblem(Problem[Array], Protocol):
    """What a JAX problem provides in addition to `Problem`."""

    everywhere: NamedSharding | jax.Device
    key: Array
    parameters: Values
    buffers: Values

    def value_and_grad(
        self, parameters: Values, batch: Batch[Array], random: Array | None = None
    ) -> tuple[Array, Values]:
        """The mean loss and its gradients; running statistics move."""
        ...

    def capture(
        self,
        parameters: Values,
        batch: Batch[Array],
        targets: Array | None = None,
        *,
        random: Array | None = None,
        names: tuple[str, ...] | None = None,
    ) -> tuple[Evaluation[Array], Values, dict[str, Capture[Array]]]:
        """Evaluation, gradients and captures of layers; running statistics move."""
        ...

    def note_passes(self, forward: int, backward: int, examples: int) -> None:
        """Count passes made inside a compiled function, in passes and examples."""
        ...

    def random_state(self) -> tuple[Array, int]:
        """The key of the problem's own sequence and how many keys have been drawn."""
        ...

    def set_random_state(self, state: tuple[Array, int]) -> None:
        """Put both back."""
        ...


class Method(ScheduledMethod[Array]):
    """A submission class whose whole state is parameters, step count, schedule and `state`.

    Attributes:
        parameters: the live parameters, new arrays after each step.
        state: what `begin` returned and `move` replaces.
        steps: number of steps taken; the key of a step is derived from it.
    """

    problem: LiveProblem
    parameters: Values
    state: State

    def setup(self, problem: LiveProblem, hyperparameters: Hyperparameters) -> None:
        """Store the problem and initialise the state."""
        self.problem, self.steps = problem, 0
        self.setup_point(hyperparameters)
        self.parameters = self.place(problem.parameters)
        self.state = self.place(self.begin())

    @abstractmethod
    def begin(self) -> State:
        """The state before the first step, from the problem and the hyperparameters."""

    def step(self, stream: Stream[Array]) -> Array:
        """Call the schedule once (it may count its calls), then `move`."""
        loss = super().step(stream)
        self.steps += 1
        return loss

    def eval_parameters(self) -> Mapping[str, Array]:
        """The live parameters."""
        return self.parameters

    def clip_gradients(self, gradients: Values) -> Values:
        """The gradients of all parameters, scaled to a global norm of at most `clip`."""
        if not self.clip:
            return gradients
        squares = [jnp.vdot(value, value) for value in jax.tree.leaves(gradients)]
        factor = jnp.minimum(1.0, self.clip / (jnp.sqrt(jnp.stack(squares).sum()) + 1e-6))
        return {name: factor * value for name, value in gradients.items()}

    def place(self, tree: Any) -> Any:
        """Copies where results of a step lie: else the second step would compile once more."""
        return jax.device_put(jax.tree.map(jnp.array, tree), self.problem.everywhere)

    def state_dict(self) -> State:
        """The parameters, the step count, the schedule's state and the leaves of `state`."""
        return {
            "parameters": self.parameters,
            "steps": self.steps,
            "schedule": schedules.state_of(self._schedule),
            "state": jax.tree.leaves(self.state),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state returned by `state_dict`."""
        self.parameters = self.place(dict(state["parameters"]))
        self.steps = int(state["steps"])
        schedules.restore(self._schedule, state["schedule"])
        structure = jax.tree.structure(self.state)
        self.state = self.place(jax.tree.unflatten(structure, state["state"]))


def first_examples(batch: Batch[Array], fraction: float) -> Batch[Array]:
    """The first `fraction` of a batch, at least one example."""
    count = max(1, round(fraction * len(batch.targets)))
    return Batch(batch.inputs[:count], batch.targets[:count])


def stack_batches(batches: tuple[Batch[Array], ...]) -> Batch[Array]:
    """Batches of one size along a new first dimension, for a loop over them."""
    result: Batch[Array] = jax.tree.map(lambda *parts: jnp.stack(parts), *batches)
    return result


def choose(condition: Array | bool, one: TreeT, other: TreeT) -> TreeT:
    """One of two trees of the same form."""
    result: TreeT = jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)
    return result
