"""EKFAC in JAX; see `submission.py` for the update, and `submissions.kfac` in JAX for its passes.

Deviation from `submission.py`: an eigendecomposition that does not converge gives NaN, and is not
retried by another method.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import Array

from harness.core.errors import UnknownNameError
from submissions.common.kronecker_factors_jax import Uses, accumulate, rows, second_moment
from submissions.common.layers_jax import Layer
from submissions.common.layerwise_jax import LayerwiseMethod
from submissions.common.methods_jax import State, choose

DIAGONALS = ("batch", "examples")


class Submission(LayerwiseMethod):
    """EKFAC on linear, convolution and recurrent layers, AdamW on the rest."""

    def start(self, layer: Layer) -> State:
        """Initialise both factors to zero."""
        if self.point["diagonal"] not in DIAGONALS:
            raise UnknownNameError("diagonal", self.point["diagonal"], DIAGONALS)
        out, width = layer.matrix_shape
        a, s = jnp.zeros((width, width)), jnp.zeros((out, out))
        return {
            "a": a,
            "s": s,
            "a_basis": a,
            "s_basis": s,
            "diagonal": jnp.zeros((out, width)),
            "observations": jnp.zeros((), jnp.int32),
            "age": jnp.zeros((), jnp.int32),
        }

    def observe(
        self, layer: Layer, state: State, usage: Uses, targets: int, is_refreshed: Array | bool
    ) -> State:
        """Average both factors, and the diagonal in the current basis if there is one."""
        del layer
        inputs, gradients = rows(usage, targets, self.point["sharing"])
        new = {
            **state,
            "a": accumulate(state["a"], inputs, self.point["factor_beta"]),
            "s": accumulate(state["s"], gradients, self.point["factor_beta"]),
            "observations": state["observations"] + 1,
        }
        if self.point["diagonal"] != "examples":
            return new
        moment = second_moment(usage, targets, state["a_basis"], state["s_basis"])
        age = state["age"] + 1
        weight = jnp.maximum(1 - self.point["diagonal_beta"], 1 / age)
        diagonal = state["diagonal"] + weight * (moment - state["diagonal"])
        return choose(is_refreshed, {**new, "age": age, "diagonal": diagonal}, new)

    def refresh(self, layer: Layer, state: State) -> State:
        """Recompute the bases and reset the diagonal to KFAC's."""
        del layer
        correction = 1 - self.point["factor_beta"] ** state["observations"]
        a_values, a_basis = jnp.linalg.eigh(state["a"] / correction)
        s_values, s_basis = jnp.linalg.eigh(state["s"] / correction)
        diagonal = jnp.outer(jnp.maximum(s_values, 0.0), jnp.maximum(a_values, 0.0))
        bases = {"a_basis": a_basis, "s_basis": s_basis}
        return {**state, **bases, "diagonal": diagonal, "age": jnp.zeros((), jnp.int32)}

    def direction(self, layer: Layer, state: State, gradient: Array) -> tuple[Array, State]:
        """Scale the gradient in the eigenbasis."""
        rotated_gradient = state["s_basis"].T @ gradient @ state["a_basis"]
        if self.point["diagonal"] == "batch":
            weight = 1 - self.point["diagonal_beta"]
            diagonal = state["diagonal"] + weight * (rotated_gradient**2 - state["diagonal"])
            state = {**state, "diagonal": diagonal}
        damping = self.point["damping"] * math.prod(layer.damping)
        scaled_gradient = rotated_gradient / (state["diagonal"] + damping)
        return state["s_basis"] @ scaled_gradient @ state["a_basis"].T, state
