"""Losses in jax, as functions of the model's output."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import Array

from harness.core.errors import UnknownNameError
from harness.frameworks.base import EvaluationLoss
from harness.frameworks.jax.cross_entropy import mean_cross_entropy
from harness.frameworks.targets import check_same_shape


class CrossEntropy:
    """Cross-entropy of integer targets (...) under logits (..., classes), a mean over all targets.

    With p = softmax(z) and N targets, value = -(1/N) sum log p[y] and its Hessian in the logits is
    block-diagonal with blocks (diag(p) - p p^T) / N, free of the targets (Martens, 2014).
    """

    def value(self, logits: Array, targets: Array) -> Array:
        """The mean loss in nats, a scalar; low-precision logits are cast part by part."""
        if logits.dtype != jnp.float32:
            return mean_cross_entropy(logits, targets)
        return self.per_target(logits, targets).mean()

    def per_target(self, logits: Array, targets: Array) -> Array:
        """The loss of each target in nats, shape (...)."""
        log_probabilities = jax.nn.log_softmax(logits)
        likelihoods = jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1)
        return -likelihoods[..., 0]

    def metrics(self, logits: Array, targets: Array) -> dict[str, Array]:
        """Each target's loss, and whether its class has the largest logit."""
        hits = logits.argmax(-1) == targets
        return {"loss": self.per_target(logits, targets), "accuracy": hits}

    def sample_targets(self, logits: Array, random: Array) -> Array:
        """Targets drawn from softmax(logits) with a key, shape (...)."""
        return jax.random.categorical(random, jax.lax.stop_gradient(logits))

    def hessian_product(self, logits: Array, vector: Array) -> Array:
        """(diag(p) - p p^T) v / N for every target; `vector` and result are (..., classes)."""
        probabilities = jax.nn.softmax(logits)
        terms = probabilities * vector
        products = terms - probabilities * terms.sum(-1, keepdims=True)
        return products / math.prod(logits.shape[:-1])


class SquaredError:
    """`squared_error` of `workloads.losses`: real targets y, predictions z, both of shape (...).

    The Hessian in the predictions is (2/N) I, free of the targets.
    """

    def value(self, logits: Array, targets: Array) -> Array:
        """The mean squared error, a scalar."""
        return self.per_target(logits.astype(jnp.float32), targets).mean()

    def per_target(self, logits: Array, targets: Array) -> Array:
        """The squared error of each entry, shape (...)."""
        check_same_shape(logits.shape, targets.shape)
        return jnp.square(logits - targets)

    def metrics(self, logits: Array, targets: Array) -> dict[str, Array]:
        """Each entry's squared error."""
        return {"loss": self.per_target(logits, targets)}

    def sample_targets(self, logits: Array, random: Array) -> Array:
        """Targets drawn from N(z, 1/2) with a key, entry by entry, shape (...)."""
        noise = jax.random.normal(random, logits.shape, logits.dtype)
        return jax.lax.stop_gradient(logits) + math.sqrt(0.5) * noise

    def hessian_product(self, logits: Array, vector: Array) -> Array:
        """2 v / N; `vector` and result are shaped as the predictions."""
        return vector * (2.0 / logits.size)


LOSSES: dict[str, type[EvaluationLoss[Array]]] = {
    "cross_entropy": CrossEntropy,
    "squared_error": SquaredError,
}


def loss_of(name: str) -> EvaluationLoss[Array]:
    """The loss with this name."""
    if name not in LOSSES:
        raise UnknownNameError("loss", name, LOSSES)
    return LOSSES[name]()
