"""The sizes that Amos expects of weights' entries; `submission.py` states them."""

from __future__ import annotations

import math

from workloads.parameters import ParameterSpec, Role

SIZES = {Role.NORM: 1.0, Role.BIAS: 0.5, Role.VECTOR: 0.5}


def expected_size(spec: ParameterSpec) -> float:
    """The size that a weight's entries are expected to have (s)."""
    if spec.role is Role.EMBEDDING:
        return math.sqrt(2.0 / spec.shape[1])
    return SIZES.get(spec.role, 1.0 / math.sqrt(spec.fan_in))
