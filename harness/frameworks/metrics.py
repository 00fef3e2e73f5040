"""Metrics of single examples, as evaluators give them batch by batch, and their means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

ExampleMetrics = Mapping[str, npt.NDArray[np.float64]]
"""Each metric of `workloads.losses` by name, shape (examples,): the mean over an example's targets.
"""


def concatenate(batches: Sequence[ExampleMetrics]) -> dict[str, npt.NDArray[np.float64]]:
    """The metrics of batches, one behind the other; at least one batch."""
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def means(metrics: ExampleMetrics) -> dict[str, float]:
    """The mean of each metric over all examples: over all targets, as each has as many."""
    return {name: float(values.mean()) for name, values in metrics.items()}
