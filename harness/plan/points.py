"""Points of a search space: a scrambled Sobol sequence per study."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import qmc

from harness.core.seeds import derive
from harness.submission.reference import Scalar
from harness.submission.space import Space

Point = dict[str, Scalar]


def study_seed(round_seed: str, suite: str, workload: str, study: int) -> str:
    """The seed of one study's points; `study` counts from 1."""
    return derive("study", round_seed, suite, workload, study)


def draw_points(space: Space, seed: str, count: int) -> tuple[Point, ...]:
    """The first points of a study: the same in every process, different in every study.

    A longer draw begins with the shorter one, so that a study can be extended. The sequence is
    scipy's Sobol sequence with Owen-style scrambling, seeded from `seed` and the space's hash. If
    the space lists its points, a study takes each once, in its own random order, and then starts
    over.

    Args:
        space: the search space; hyperparameters that are not searched keep their default.
        seed: the study's seed, see `study_seed`.
        count: how many points.
    """
    names = sorted(space.space)
    random = np.random.default_rng(int(derive(seed, space.content_hash), 16))
    if space.points:
        order = random.permutation(len(space.points))
        return tuple(dict(space.points[order[at % len(order)]]) for at in range(count))
    if not names:
        return tuple(dict(space.default) for _ in range(count))
    sobol = qmc.Sobol(d=len(names), scramble=True, rng=random)
    # scipy warns unless a power of two is drawn; the first `count` of them are what is wanted
    fractions = sobol.random_base2(max(0, math.ceil(math.log2(count))))[:count]
    return tuple(
        space.default
        | {n: space.space[n].value_at(float(u)) for n, u in zip(names, row, strict=True)}
        for row in fractions
    )
