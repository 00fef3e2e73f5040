"""KL-SOAP in JAX; `submission.py` states the update, `kl_shampoo.transformation_jax` deviations."""

from __future__ import annotations

import jax
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.kl_shampoo.transformation_jax import build_kind


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """KL-SOAP on hidden matrices and kernels, AdamW on the rest, with their shared schedule."""
    return build_kind(problem, hyperparameters, is_soap=True)
