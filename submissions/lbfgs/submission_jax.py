"""Limited-memory BFGS through `optax.lbfgs`; see `submission.py` for the update.

Deviations: the line search is optax's (zoom, strong Wolfe conditions). optax forms pairs from
consecutive calls regardless of the batch, so its memory is cleared with each batch, and each batch
gets `restart_factor` times as many iterations. `learning_rate` is not used: the search tries 1
first. Schedules are refused because optax reuses the gradient at the length that the search found
as the next iteration's gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.sharding import NamedSharding

from harness.core.errors import HarnessError
from harness.submission.interface import Batch, Hyperparameters, Stream
from submissions.common.batch_loss_jax import FixedLoss
from submissions.common.methods_jax import LiveProblem, Values

Carry = tuple[Values, optax.OptState, Array]
"""Parameters, the method's state and the evaluations so far."""


class Submission:
    """optax's L-BFGS, several iterations on each large batch."""

    _parameters: Values
    _steps: int

    # Compiled passes do not update running statistics.
    averages_weights = True

    def setup(self, problem: LiveProblem, hyperparameters: Hyperparameters) -> None:
        """Compile for this problem and start from its parameters."""
        _check_point(hyperparameters)
        self._problem = problem
        batch = int(hyperparameters["batch_factor"]) * problem.batch_size
        self._batch_size = min(batch, problem.train_examples)
        self._load(problem.parameters, steps=0)
        self._minimise = _compile(problem, hyperparameters)

    def step(self, stream: Stream[Array]) -> Array:
        """Draw one large batch and iterate on it; return the loss before the first iteration."""
        batch = stream.next(self._batch_size)
        key = jax.random.fold_in(self._problem.key, self._steps + 1)
        self._parameters, loss, trials = self._minimise(self._parameters, batch, key)
        self._steps += 1
        passes = int(trials)
        self._problem.note_passes(passes, passes, passes * self._batch_size)
        return loss

    def eval_parameters(self) -> Mapping[str, Array]:
        """The live parameters."""
        return self._parameters

    def state_dict(self) -> Mapping[str, Any]:
        """The parameters and the step count; the memory does not outlive a batch."""
        return {"parameters": self._parameters, "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state returned by `state_dict`."""
        self._load(state["parameters"], int(state["steps"]))

    def _load(self, values: Mapping[str, Array], steps: int) -> None:
        copies = {name: jnp.array(value) for name, value in values.items()}
        self._parameters = jax.device_put(copies, self._problem.everywhere)
        self._steps = steps


def _check_point(point: Hyperparameters) -> None:
    if int(point["memory"]) < 1:
        raise HarnessError(f"memory is {point['memory']}", "allowed: 1, 2, ... pairs")
    for name, neutral_value in (("schedule", "constant"), ("warmup", 0.0), ("spike_factor", 1.0)):
        if point.get(name, neutral_value) != neutral_value:
            raise HarnessError(
                f"{name} is {point[name]}, and lbfgs in jax takes steps of the length that its "
                "search finds",
                f"set {name} = {neutral_value}, leave it out, or train with --framework torch",
            )


def _compile(
    problem: LiveProblem, point: Hyperparameters
) -> Callable[[Values, Batch[Array], Array], tuple[Values, Array, Array]]:
    """Compile (parameters, batch, key) -> (parameters, first loss, loss and gradient evaluations).

    All evaluations have the same key, so that the search is on one function of the parameters.
    """
    search = optax.scale_by_zoom_linesearch(
        max_linesearch_steps=int(point["evaluations"]),
        slope_rtol=point["decrease"],
        curv_rtol=point["curvature"],
        initial_guess_strategy="one",
    )
    method = optax.lbfgs(None, memory_size=int(point["memory"]), linesearch=search)
    iterations = int(point["iterations"]) * int(point["restart_factor"])

    def minimise(
        parameters: Values, batch: Batch[Array], key: Array
    ) -> tuple[Values, Array, Array]:
        value = FixedLoss(problem, batch, key).value

        def iterate(carry: Carry, _: None) -> tuple[Carry, Array]:
            parameters, state, count = carry
            loss, gradient = optax.value_and_grad_from_state(value)(parameters, state=state)
            updates, state = method.update(
                gradient, state, parameters, value=loss, grad=gradient, value_fn=value
            )
            trials = optax.tree.get(state, "num_linesearch_steps")
            new_parameters = cast("Values", optax.apply_updates(parameters, updates))
            return (new_parameters, state, count + trials), cast("Array", loss)

        start = (parameters, method.init(parameters), jnp.ones((), jnp.int32))
        (parameters, _, count), losses = jax.lax.scan(iterate, start, length=iterations)
        return parameters, losses[0], count

    if not isinstance(problem.everywhere, NamedSharding):
        return jax.jit(minimise)
    # Else the compiler might leave a parameter divided as its gradient was computed.
    return jax.jit(minimise, out_shardings=problem.everywhere)
