"""AdaGrad with the full matrix of outer products in JAX; see `submission.py` for the update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from harness.core.errors import HarnessError
from harness.submission.interface import Batch, Stream
from submissions.common.batch_loss_jax import FixedLoss, flatten
from submissions.common.double_jax import float64_enabled
from submissions.common.methods_jax import LiveProblem, Method, State, Values

MOST = 2048
"""The number of parameters of the largest model that is accepted."""


class Submission(Method):
    """Full-matrix AdaGrad."""

    def setup(self, problem: LiveProblem, hyperparameters: Mapping[str, Any]) -> None:
        """Store the problem and make the two compiled functions of a step."""
        super().setup(problem, hyperparameters)
        self._gradient = jax.jit(self._loss_and_gradient)
        self._compiled_step = jax.jit(self._whitened_step)

    def begin(self) -> State:
        """Start with a matrix of zeros."""
        size = sum(value.size for value in self.problem.parameters.values())
        if size > MOST:
            raise HarnessError(
                f"full_adagrad keeps a matrix of {size} x {size} numbers for {size} parameters",
                f"allowed: at most {MOST}; adagrad keeps its diagonal",
            )
        return {"outer": np.zeros((size, size))}

    def move(self, stream: Stream[Array]) -> Array:
        """Add the outer product of one batch's gradient and step along its whitened direction."""
        batch, key = stream.next(), jax.random.fold_in(self.problem.key, self.steps + 1)
        loss: Array
        loss, gradient = self._gradient(self.parameters, batch, key)
        self.problem.note_passes(1, 1, len(batch.targets))
        with float64_enabled():
            self.parameters, self.state = self._compiled_step(
                self.parameters, self.state, gradient, self.learning_rate()
            )
        return loss

    def place(self, tree: Any) -> Any:
        """Copies on the device, in float64 what is float64."""
        with float64_enabled():
            return super().place(tree)

    def state_dict(self) -> State:
        """The state of `Method`, the matrix as numpy's, which keeps its precision."""
        return {**super().state_dict(), "state": [np.asarray(self.state["outer"])]}

    def _loss_and_gradient(
        self, parameters: Values, batch: Batch[Array], key: Array
    ) -> tuple[Array, Values]:
        loss, gradients = FixedLoss(self.problem, batch, key)(parameters)
        return loss, self.clip_gradients(gradients)

    def _whitened_step(
        self, parameters: Values, state: State, gradients: Values, rate: Array
    ) -> tuple[Values, State]:
        """Parameters after a step along (delta I + G^(1/2))^-1 g, with g in G."""
        gradient, unflatten = flatten(gradients)
        wide = gradient.astype(jnp.float64)
        outer = state["outer"] + jnp.outer(wide, wide)
        values, vectors = jnp.linalg.eigh(outer)
        roots = jnp.sqrt(jnp.maximum(values, 0.0)) + self.point["epsilon"]
        step = unflatten((vectors @ ((vectors.T @ wide) / roots)).astype(gradient.dtype))
        new_parameters = {
            name: value - (rate * step[name]).astype(value.dtype)
            for name, value in parameters.items()
        }
        return new_parameters, {"outer": outer}
