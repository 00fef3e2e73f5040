"""AdEMAMix through `optax.contrib.ademamix`; see `submission.py` for the update."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.precision_jax import bound_gradients

OFFSET = 1e-8
"""Added to a decay rate under the logarithm, as in the source."""


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """AdEMAMix on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    warmup = hyperparameters["slow_warmup"]
    betas = (hyperparameters["beta1"], hyperparameters["beta3"])
    ends = [math.log(0.5) / math.log(beta + OFFSET) - 1.0 for beta in betas]

    def warmup_fraction(count: ArrayLike) -> jax.Array:
        # optax counts from 0, the source from 1
        return jnp.minimum((count + 1) / warmup, 1.0) if warmup else jnp.ones(())

    def slow_beta(count: ArrayLike) -> jax.Array:
        fraction = warmup_fraction(count)
        half_life = (1.0 - fraction) * ends[0] + fraction * ends[1]
        return jnp.where(fraction < 1.0, 0.5 ** (1.0 / (half_life + 1.0)), betas[1])

    transformation = optax.chain(
        bound_gradients(2),
        optax.contrib.ademamix(
            hyperparameters["learning_rate"],
            b1=betas[0],
            b2=hyperparameters["beta2"],
            b3=slow_beta,
            alpha=lambda count: hyperparameters["alpha"] * warmup_fraction(count),
            eps=hyperparameters["epsilon"],
            weight_decay=hyperparameters["weight_decay"],
        ),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
