"""Every pair of entries, on each workload and overall, as in `harness compare`.

With fewer than five studies the noise is estimated from all entries of the board, not the pair.
"""

from __future__ import annotations

import base64

import numpy as np

from scoring.compare import LEVEL
from scoring.draws import draw_medians
from scoring.site.boards import View, run_workloads
from scoring.site.ranking import MANY
from scoring.site.scripts import short
from scoring.speedup import PairwiseComparison, compare_pair, factor, pair_limits
from scoring.times import Array

Cell = list[float | str | None]
"""Factor, mark, low, high, P(A faster) and undecided fraction, on one workload or overall."""


def settled_bits(view: View) -> str:
    """For each pair, whether the row's entry is settled to be faster, as bits in base 64; '' if
    unknown.
    """
    if view.ranking is None:
        return ""
    return base64.b64encode(np.packbits(view.ranking.is_settled).tobytes()).decode()


def has_intervals(view: View) -> bool:
    """Whether the site has intervals for every pair; for more pairs use `harness compare`."""
    return view.sure is not None and len(view.board.scores) <= MANY


def pair_data(view: View, draws: int, seed: int = 0) -> list[dict[int, list[Cell]]]:
    """For each entry A and each later B: overall and on each workload, with intervals."""
    board = view.board
    sample = draw_medians(board.times, board.rules, draws, seed)
    columns = _columns(view)
    medians = np.concatenate([chunk[..., columns] for chunk in sample.chunks])
    rows: list[dict[int, list[Cell]]] = []
    for a in range(medians.shape[1]):
        others = range(a + 1, medians.shape[1])
        rows.append({b: _pair(view, medians, (a, b), sample.spread) for b in others})
    return rows


def _columns(view: View) -> list[int]:
    times = view.board.times
    return [times.workloads.index(name) for name in run_workloads(view.board)]


def _pair(view: View, medians: Array, pair: tuple[int, int], spread: float) -> list[Cell]:
    """First overall, then on each workload."""
    (a, b), times, columns = pair, view.board.times, _columns(view)
    limits = pair_limits(times, a, b).take(columns)
    point = factor(view.board.medians[a, columns], view.board.medians[b, columns], limits)
    overall = compare_pair(medians[:, a], medians[:, b], limits, spread)
    singles = [
        compare_pair(medians[:, a, [w]], medians[:, b, [w]], limits.take([w]))
        for w in range(len(columns))
    ]
    cells = [_cell(point.overall, point.mark, overall)]
    for w, single in enumerate(singles):
        cells.append(_cell(float(point.by_workload[w]), point.marks[w], single))
    return cells


def _cell(value: float, mark: str, pair: PairwiseComparison) -> Cell:
    low, _, high = pair.interval(LEVEL)
    fractions = [round(pair.probability, 3), round(pair.undecided_fraction, 3)]
    return [short(value, 4), mark, short(low, 4), short(high, 4), *fractions]
