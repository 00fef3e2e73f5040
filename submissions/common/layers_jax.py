"""Layers with a preconditioner in JAX: their parameters as one matrix, and who trains the rest."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import cast

import jax
import jax.numpy as jnp
import optax
from jax import Array

from harness.submission.interface import Hyperparameters
from submissions.common.methods_jax import Factor, Values
from workloads.parameters import LayerSpec


@dataclass(frozen=True)
class Layer:
    """One preconditioned layer."""

    spec: LayerSpec
    weight: tuple[int, ...]
    """The weight's shape."""
    damping: tuple[float, float] = (1.0, 1.0)

    @property
    def matrix_shape(self) -> tuple[int, int]:
        """(out, in), or (out, in + 1) with a bias."""
        return self.weight[0], math.prod(self.weight[1:]) + (self.spec.bias is not None)

    @property
    def names(self) -> list[str]:
        """Of the weight and, if there is one, the bias."""
        return [name for name in (self.spec.weight, self.spec.bias) if name is not None]

    def matrix(self, values: Mapping[str, Array]) -> Array:
        """Parameters or gradients as one matrix, a bias as its last column."""
        flat = values[self.spec.weight].reshape(self.weight[0], -1)
        if self.spec.bias is None:
            return flat
        return jnp.concatenate([flat, values[self.spec.bias][:, None]], 1)

    def values(self, matrix: Array) -> Values:
        """The inverse of `matrix`."""
        if self.spec.bias is None:
            return {self.spec.weight: matrix.reshape(self.weight)}
        return {
            self.spec.weight: matrix[:, :-1].reshape(self.weight),
            self.spec.bias: matrix[:, -1],
        }

    def move(self, parameters: Values, step: Array, rate: Factor, decay: float) -> Values:
        """(1 - rate decay) W - rate step, for a step shaped as the matrix."""
        return self.values((1 - rate * decay) * self.matrix(parameters) - rate * step)


@dataclass(frozen=True)
class Rest:
    """AdamW on the parameters that no layer's preconditioner moves.

    Attributes:
        names: of those parameters.
        transformation: of their gradients, with the unscheduled learning rate.
    """

    names: tuple[str, ...]
    transformation: optax.GradientTransformation

    def begin(self, parameters: Mapping[str, Array]) -> optax.OptState:
        """AdamW's state."""
        return self.transformation.init({name: parameters[name] for name in self.names})

    def move(
        self, parameters: Values, gradients: Values, state: optax.OptState, factor: Factor
    ) -> tuple[Values, optax.OptState]:
        """These parameters after a step at `factor` times the learning rate, and the new state."""
        own = {name: parameters[name] for name in self.names}
        own_gradients = {name: gradients[name] for name in self.names}
        updates, state = self.transformation.update(own_gradients, state, own)
        scaled_updates = jax.tree.map(lambda change: factor * change, updates)
        return cast("Values", optax.apply_updates(own, scaled_updates)), state


def rest_of(
    parameters: Collection[str],
    layers: Collection[Layer],
    point: Hyperparameters,
    rates: Mapping[str, float] | None = None,
) -> Rest:
    """AdamW on what the layers do not own.

    With a multiplier r of the learning rate decay stays eta lambda and epsilon becomes epsilon / r,
    as in `optimizers.adamw_at`.

    Args:
        parameters: the names of all parameters.
        layers: those with a preconditioner.
        point: `adam_learning_rate`, `adam_beta1`, `adam_beta2`, `epsilon`, `weight_decay`.
        rates: r by name, for a parametrisation; 1 by default.
    """
    owned_names = {name for layer in layers for name in layer.names}
    names = tuple(name for name in parameters if name not in owned_names)
    labels = {name: (rates or {}).get(name, 1.0) for name in names}
    by_rate: dict[Hashable, optax.GradientTransformation] = {
        r: optax.adamw(
            r * point["adam_learning_rate"],
            b1=point["adam_beta1"],
            b2=point["adam_beta2"],
            eps=point["epsilon"] / r,
            weight_decay=point["weight_decay"] / r,
        )
        for r in set(labels.values())
    }
    return Rest(names, optax.multi_transform(by_rate, labels))
