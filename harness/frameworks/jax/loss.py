"""Losses in jax, as functions of logits."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import Array

from harness.core.errors import UnknownNameError


class CrossEntropy:
    """Cross-entropy of integer targets (...) under logits (..., classes), a mean over all targets.

    With p = softmax(z) and N targets, value = -(1/N) sum log p[y] and its Hessian in the logits is
    block-diagonal with blocks (diag(p) - p p^T) / N, free of the targets (Martens, 2014).
    """

    def value(self, logits: Array, targets: Array) -> Array:
        """The mean loss in nats, a scalar."""
        return self.per_target(logits, targets).mean()

    def per_target(self, logits: Array, targets: Array) -> Array:
        """The loss of each target in nats, shape (...)."""
        log_probabilities = jax.nn.log_softmax(logits)
        picked = jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1)
        return -picked[..., 0]

    def sample_targets(self, logits: Array, random: Array) -> Array:
        """Targets drawn from softmax(logits) with a key, shape (...)."""
        return jax.random.categorical(random, jax.lax.stop_gradient(logits))

    def hessian_product(self, logits: Array, vector: Array) -> Array:
        """(diag(p) - p p^T) v / N for every target; `vector` and result are (..., classes)."""
        probabilities = jax.nn.softmax(logits)
        weighted = probabilities * vector
        centred = weighted - probabilities * weighted.sum(-1, keepdims=True)
        return centred / math.prod(logits.shape[:-1])


LOSSES = {"cross_entropy": CrossEntropy}


def loss_of(name: str) -> CrossEntropy:
    """The loss of a name."""
    if name not in LOSSES:
        raise UnknownNameError("loss", name, LOSSES)
    return LOSSES[name]()
