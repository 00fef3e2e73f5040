"""Per-example metrics, as evaluators yield them batch by batch, and their means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

ExampleMetrics = Mapping[str, npt.NDArray[np.float64]]
"""Each metric of `workloads.losses` by name, (examples,): its mean over an example's targets.
"""


def concatenate(batches: Sequence[ExampleMetrics]) -> dict[str, npt.NDArray[np.float64]]:
    """The metrics of consecutive batches, concatenated; needs at least one batch."""
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def means(metrics: ExampleMetrics) -> dict[str, float]:
    """The mean of each metric over all examples; every example has the same number of targets."""
    return {name: float(values.mean()) for name, values in metrics.items()}
