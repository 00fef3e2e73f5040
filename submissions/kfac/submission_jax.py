"""KFAC in JAX; see `submission.py` for the update.

With sampled targets a step that collects statistics makes two forward and two backward passes, as
captures and gradients come from separate passes.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from harness.core.errors import UnknownNameError
from submissions.common.kronecker_factors_jax import (
    Uses,
    accumulate,
    damped_inverse,
    factored_damping,
    rows,
)
from submissions.common.layers_jax import Layer
from submissions.common.layerwise_jax import LayerwiseMethod
from submissions.common.methods_jax import State

DAMPING_FORMS = ("paper", "thesis")


class Submission(LayerwiseMethod):
    """KFAC on linear, convolution and recurrent layers, AdamW on the rest."""

    def start(self, layer: Layer) -> State:
        """Initialise both factors to zero."""
        if self.point["damping_form"] not in DAMPING_FORMS:
            raise UnknownNameError("damping form", self.point["damping_form"], DAMPING_FORMS)
        out, width = layer.matrix_shape
        a, s = jnp.zeros((width, width)), jnp.zeros((out, out))
        return {
            "a": a,
            "s": s,
            "a_inverse": a,
            "s_inverse": s,
            "observations": jnp.zeros((), jnp.int32),
        }

    def observe(
        self, layer: Layer, state: State, usage: Uses, targets: int, is_refreshed: Array | bool
    ) -> State:
        """Update the moving averages of both factors."""
        del layer, is_refreshed
        inputs, gradients = rows(usage, targets, self.point["sharing"])
        return {
            **state,
            "a": accumulate(state["a"], inputs, self.point["factor_beta"]),
            "s": accumulate(state["s"], gradients, self.point["factor_beta"]),
            "observations": state["observations"] + 1,
        }

    def refresh(self, layer: Layer, state: State) -> State:
        """Invert both damped factors."""
        correction = 1 - self.point["factor_beta"] ** state["observations"]
        a, s = state["a"] / correction, state["s"] / correction
        damping = self.point["damping"]
        gamma = damping**0.5 if self.point["damping_form"] == "paper" else damping
        for_a, for_s = factored_damping(a, s, gamma)
        return {
            **state,
            "a_inverse": damped_inverse(a, for_a * layer.damping[0]),
            "s_inverse": damped_inverse(s, for_s * layer.damping[1]),
        }

    def direction(self, layer: Layer, state: State, gradient: Array) -> tuple[Array, State]:
        """S~ G A~."""
        del layer
        return state["s_inverse"] @ gradient @ state["a_inverse"], state
