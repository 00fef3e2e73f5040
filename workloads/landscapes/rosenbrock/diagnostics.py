"""Where on the Rosenbrock function a snapshot is."""

from __future__ import annotations

import math
from collections.abc import Mapping

from workloads.landscapes.rosenbrock.model import validate
from workloads.parameters import Array
from workloads.spec import Sizes

MINIMUM = (1.0, 1.0)


def diagnostics(parameters: Mapping[str, Array], sizes: Sizes) -> dict[str, float]:
    """The coordinates `x` and `y`, and the `distance` from the minimum."""
    start = validate(sizes).start
    x, y = (s + float(d) for s, d in zip(start, parameters["displacement"][0], strict=True))
    return {"x": x, "y": y, "distance": math.dist((x, y), MINIMUM)}
