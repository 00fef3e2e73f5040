"""Base classes of submissions in JAX that are classes, as `methods` has them in torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import NamedSharding

from harness.core.errors import HarnessError
from harness.submission.interface import (
    Batch,
    Capture,
    Evaluation,
    Hyperparameters,
    Problem,
    Schedule,
    Stream,
)
from submissions.common import schedules

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

    def captured(
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


class Method(ABC):
    """A submission class whose whole state is parameters, step count, schedule and `state`.

    Attributes:
        problem: the training problem.
        point: the hyperparameters.
        parameters: the live parameters, new arrays after each step.
        state: what `begin` returned and `move` replaces.
        steps: number of steps taken; the key of a step is derived from it.
        factor: the schedule's factor for the current step; 1 without a schedule.
        clip: the bound on gradient norms used by `clipped`; 0 for none.
    """

    # `problem.evaluate` does not update running statistics, and an average may be evaluated.
    averages_weights = True
    clips_gradients = True
    # Whether the method runs a line search on the loss whose gradient it follows.
    searches_lengths = False
    problem: LiveProblem
    point: Hyperparameters
    parameters: Values
    state: State

    def setup(self, problem: LiveProblem, hyperparameters: Hyperparameters) -> None:
        """Store the problem and initialise the state."""
        self.problem, self.point = problem, hyperparameters
        self.factor, self.steps = 1.0, 0
        self.clip = self._bound()
        self._schedule: Schedule | None = None
        if "schedule" in hyperparameters:
            self._schedule = schedules.from_hyperparameters(hyperparameters)
        self.parameters = self.placed(problem.parameters)
        self.state = self.placed(self.begin())

    @abstractmethod
    def begin(self) -> State:
        """The state before the first step, from the problem and the hyperparameters."""

    @abstractmethod
    def move(self, stream: Stream[Array]) -> Array:
        """Draw batches and replace the parameters; return the loss before the step, a scalar."""

    def step(self, stream: Stream[Array]) -> Array:
        """Call the schedule once (it may count its calls), then `move`."""
        if self._schedule is not None:
            progress = self.problem.budget.progress(self.point["horizon"])
            self.factor = self._schedule(progress)
        loss = self.move(stream)
        self.steps += 1
        return loss

    def eval_parameters(self) -> Mapping[str, Array]:
        """The live parameters."""
        return self.parameters

    def learning_rate(self) -> float | None:
        """The scheduled learning rate of the current or last step; None if the point has none."""
        if "learning_rate" not in self.point:
            return None
        return float(self.point["learning_rate"]) * self.factor

    def clipped(self, gradients: Values) -> Values:
        """The gradients of all parameters, scaled to a global norm of at most `clip`."""
        if not self.clip:
            return gradients
        squares = [jnp.vdot(value, value) for value in jax.tree.leaves(gradients)]
        factor = jnp.minimum(1.0, self.clip / (jnp.sqrt(jnp.stack(squares).sum()) + 1e-6))
        return {name: factor * value for name, value in gradients.items()}

    def large_batch(self, stream: Stream[Array]) -> Batch[Array]:
        """Draw `batch_factor` workload batches as one, at most the whole training set."""
        size = int(self.point["batch_factor"]) * self.problem.batch_size
        return stream.next(min(size, self.problem.train_examples))

    def placed(self, tree: Any) -> Any:
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
        self.parameters = self.placed(dict(state["parameters"]))
        self.steps = int(state["steps"])
        schedules.restore(self._schedule, state["schedule"])
        structure = jax.tree.structure(self.state)
        self.state = self.placed(jax.tree.unflatten(structure, state["state"]))

    def _bound(self) -> float:
        bound = float(self.point.get("clip", 0.0))
        if not bound >= 0.0:
            raise HarnessError(f"clip is {bound}", "allowed: 0 (off) or a largest norm")
        if bound and self.searches_lengths:
            raise HarnessError(
                f"clip is {bound}, and this method searches for the length of a step on the loss "
                "whose gradient it follows: a clipped gradient belongs to no loss",
                "set clip = 0.0, or leave it out",
            )
        return bound


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
"""A compiled `CompiledMethod._stepped`."""


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
        donated: dict[str, Any] = {} if is_cpu else {"donate_argnums": (0, 1)}
        if isinstance(problem.everywhere, NamedSharding):
            # Else the compiler might leave a parameter divided as its gradient was computed.
            donated["out_shardings"] = problem.everywhere
        self._compiled: Step = jax.jit(self._stepped, **donated)

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
        carry, loss = self._compiled(
            self.parameters,
            self.state,
            problem.buffers,
            batches,
            Now(problem.key, self.factor, self.steps, self.plan()),
        )
        self.parameters, self.state, problem.buffers = carry
        problem.note_passes(*self.passes(batches))
        return loss

    def _stepped(
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
def traced_passes(problem: LiveProblem, buffers: Values, key: Array) -> Iterator[None]:
    """Let the problem's passes be part of a compiled function.

    In a `with` block they move these buffers, which `problem.buffers` has afterwards but before the
    block ends, and draw from this key.
    """
    kept, random = problem.buffers, problem.random_state()
    problem.buffers = buffers
    problem.set_random_state((key, 0))
    try:
        yield
    finally:
        problem.buffers = kept
        problem.set_random_state(random)


def trained_pass(
    problem: LiveProblem, carry: Carry, batch: Batch[Array], key: Array
) -> tuple[Array, Values, Values]:
    """Loss, gradients and the running statistics after them; a pure function."""
    with traced_passes(problem, carry.buffers, key):
        loss, gradients = problem.value_and_grad(carry.parameters, batch)
        return loss, gradients, problem.buffers


def first_examples(batch: Batch[Array], fraction: float) -> Batch[Array]:
    """The first `fraction` of a batch, at least one example."""
    count = max(1, round(fraction * len(batch.targets)))
    return Batch(batch.inputs[:count], batch.targets[:count])


def stacked(batches: tuple[Batch[Array], ...]) -> Batch[Array]:
    """Batches of one size along a new first dimension, for a loop over them."""
    result: Batch[Array] = jax.tree.map(lambda *parts: jnp.stack(parts), *batches)
    return result


def chosen(condition: Array | bool, one: TreeT, other: TreeT) -> TreeT:
    """One of two trees of the same form."""
    result: TreeT = jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)
    return result
