"""All pairwise comparisons over all workloads: which entry is faster, by how much, how surely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.compare import LEVEL
from scoring.speedup import compare_pair, pair_limits
from scoring.times import Array, Times


@dataclass(frozen=True, eq=False)
class PairTable:
    """For entries A (row) and B (column): geometric mean over workloads of B's time over A's."""

    p_beats: Array
    """(S, S): fraction of draws in which A is faster, plus half of the undecided ones."""
    undecided_fraction: Array
    """(S, S): fraction of undecided draws: tied, or left open by censoring."""
    factor: Array
    """(S, S): median over the draws."""
    low: Array
    """(S, S): low end of the 95 % interval, with censored times set to the limit."""
    high: Array

    def to_json(self, names: tuple[str, ...]) -> dict[str, dict[str, dict[str, float]]]:
        """The table of all pairs, indexed by the names of A and B."""
        return {
            a: {
                b: {
                    "probability": float(self.p_beats[i, j]),
                    "factor": float(self.factor[i, j]),
                    "low": float(self.low[i, j]),
                    "high": float(self.high[i, j]),
                    "undecided": float(self.undecided_fraction[i, j]),
                }
                for j, b in enumerate(names)
                if i != j
            }
            for i, a in enumerate(names)
        }


def pair_table(times: Times, medians: Array, columns: list[int], spread: float = 1.0) -> PairTable:
    """The comparisons of all pairs, from draws of median times (R, S, B) on the base workloads."""
    entries = medians.shape[1]
    shape = (entries, entries)
    p_beats, undecided_fraction = np.full(shape, 0.5), np.zeros(shape)
    ends = np.ones((3, entries, entries))
    for a in range(entries):
        for b in range(a + 1, entries):
            limits = pair_limits(times, a, b).take(columns)
            comparison = compare_pair(medians[:, a], medians[:, b], limits, spread)
            for (row, column), view in (((a, b), comparison), ((b, a), comparison.swap())):
                p_beats[row, column] = view.probability
                undecided_fraction[row, column] = view.undecided_fraction
                ends[:, row, column] = view.interval(LEVEL)
    return PairTable(p_beats, undecided_fraction, ends[1], ends[0], ends[2])
