"""CASPR in JAX; see `submission.py` for the update.

Deviations from `submission.py`: those of `submissions.shampoo.submission_jax`.
"""

from __future__ import annotations

import jax
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common.two_sided_jax import Entry
from submissions.shampoo.submission_jax import between_roots, build_relative

FIXED_SETTINGS = {"power": 0.25, "block_side": 0, "graft": "adam", "roots": "eigen"}
"""Shampoo's settings that CASPR fixes."""


def kronecker_sum(entry: Entry, average: jax.Array) -> jax.Array:
    """P_t; of a matrix with one factor, which has no sum, Shampoo's."""
    if "left" not in entry or "right" not in entry:
        return between_roots(entry, average)
    left, right = entry["left_root"], entry["right_root"]
    once = left @ average + average @ right
    return left @ once + once @ right


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """CASPR on matrices and kernels, AdamW on the rest, with their shared schedule."""
    return build_relative(problem, {**FIXED_SETTINGS, **hyperparameters}, kronecker_sum)
