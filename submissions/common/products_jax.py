"""Matrix-free products of curvature matrices with vectors in JAX; formulas: `products`.

A batch's logits are linearised once, and each product runs forward and backward through that: G v
costs a tangent and a backward pass.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from submissions.common.batch_loss_jax import FixedLoss, flatten
from submissions.common.methods_jax import TINY, Values

Product = Callable[[Array], Array]
"""Maps a vector (n,) to its product with a matrix (n, n)."""
FINITE_DIFFERENCE = 1e-3
"""Relative step length of a finite difference: about the square root of float32's precision."""


class Linearisation:
    """Loss, gradient and curvature of one batch at some parameters.

    Args:
        loss_of: the loss of the batch.
        parameters: where it is linearised, by name.
    """

    def __init__(self, loss_of: FixedLoss, parameters: Values) -> None:
        self._loss_of, self._loss = loss_of, loss_of.problem.loss
        self.point, self._unflatten = flatten(parameters)
        self.logits, self._push = jax.linearize(
            lambda vector: loss_of.logits(self._unflatten(vector)), self.point
        )
        transpose = jax.linear_transpose(self._push, self.point)
        self._pull: Product = lambda cotangent: transpose(cotangent)[0]

    @property
    def loss(self) -> Array:
        """The mean loss, a scalar."""
        loss: Array = self._loss.value(self.logits, self._loss_of.batch.targets)
        return loss

    def gradient(self) -> Array:
        """The gradient of the loss, (n,)."""
        return self.target_gradient(self._loss_of.batch.targets)

    def gradient_at(self, point: Array) -> Array:
        """The gradient of the loss at another point, (n,)."""
        return flatten(self._loss_of(self._unflatten(point))[1])[0]

    def hessian(self) -> Product:
        """v -> H v."""
        product: Product = jax.linearize(self.gradient_at, self.point)[1]
        return product

    def finite_difference(self) -> Product:
        """v -> (grad L(w + e v) - grad L(w)) / e, which tends to H v."""
        size, gradient = FINITE_DIFFERENCE * (1.0 + jnp.linalg.norm(self.point)), self.gradient()

        def product(vector: Array) -> Array:
            step = size / jnp.maximum(jnp.linalg.norm(vector), TINY)
            quotient: Array = (self.gradient_at(self.point + step * vector) - gradient) / step
            return quotient

        return product

    def gauss_newton(self) -> Product:
        """v -> G v; the exact Fisher under cross-entropy."""
        return lambda v: self._pull(self._loss.hessian_product(self.logits, self._push(v)))

    def fisher(self, targets: Array | None = None) -> Product:
        """v -> F v with these targets; defaults to the batch's own (the empirical Fisher)."""
        targets = self._loss_of.batch.targets if targets is None else targets
        residual, count = self._residual(targets), targets.size

        def outer_product(tangent: Array) -> Array:
            return residual * (residual * tangent).sum(-1, keepdims=True) * count

        return lambda v: self._pull(outer_product(self._push(v)))

    def sampled_targets(self, key: Array) -> Array:
        """Targets sampled from the model's predictions."""
        return self._loss.sample_targets(self.logits, key)

    def target_gradient(self, targets: Array) -> Array:
        """The gradient of the loss under other targets, (n,)."""
        return self._pull(self._residual(targets))

    def _residual(self, targets: Array) -> Array:
        """dL/dz for the given targets, shaped as the logits."""
        residual: Array = jax.grad(self._loss.value)(self.logits, targets)
        return residual


def add_damping(product: Product, damping: Array | float) -> Product:
    """v -> (A + lambda I) v, or (A + diag(lambda)) v for a vector lambda."""
    return lambda vector: product(vector) + damping * vector
