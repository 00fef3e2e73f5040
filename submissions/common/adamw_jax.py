"""AdamW in JAX, with the values of a point."""

from __future__ import annotations

import optax

from harness.submission.interface import Hyperparameters


def adamw(
    hyperparameters: Hyperparameters, rate: str = "learning_rate", prefix: str = "adam_"
) -> optax.GradientTransformation:
    """`optax.adamw`, by default for the parameters that a matrix method does not handle.

    Args:
        hyperparameters: `beta1` and `beta2` with the prefix, `epsilon`, `weight_decay`, `rate`.
        rate: name of the learning-rate hyperparameter.
        prefix: of the names of the decay rates.
    """
    return optax.adamw(
        hyperparameters[rate],
        b1=hyperparameters[f"{prefix}beta1"],
        b2=hyperparameters[f"{prefix}beta2"],
        eps=hyperparameters["epsilon"],
        weight_decay=hyperparameters["weight_decay"],
    )
