"""How near the student's direction is to the teacher's.

direction_distance   the sine of the angle between b and the direction along which the student
                     changes most: the leading eigenvector of the average outer product of its
                     gradients with respect to x (Radhakrishnan et al., 2024, "Mechanism for feature
                     learning in neural networks and backpropagation-free machine learning models"),
                     over 4096 inputs from a published seed. That of the teacher is b.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from workloads.landscapes.representation.model import Matrix
from workloads.landscapes.single_index.model import TEACHER_SEED, truth_of, validate
from workloads.parameters import Array
from workloads.spec import Sizes

SAMPLE = 4096


def diagnostics(parameters: Mapping[str, Array], sizes: Sizes) -> dict[str, float]:
    """`direction_distance`, from 0 to 1."""
    hidden = parameters["hidden.weight"].astype(np.float64)
    output = parameters["output.weight"].astype(np.float64)
    truth = truth_of(validate(sizes))
    is_active = _draws(hidden.shape[1]) @ (truth.mixing.T @ hidden.T) > 0.0
    gradients = (is_active * output) @ hidden
    _, vectors = np.linalg.eigh(gradients.T @ gradients)
    leading = vectors[:, -1]
    residual = truth.direction - (leading @ truth.direction) * leading
    return {"direction_distance": float(np.linalg.norm(residual))}


@cache
def _draws(inputs: int) -> Matrix:
    random = np.random.Generator(np.random.Philox(key=TEACHER_SEED + 1))
    return random.standard_normal((SAMPLE, inputs))
