"""The causes of the difference in seconds for each pair of entries, for the page of a pair."""

from __future__ import annotations

from scoring.attribution import Attribution, Attributor, Part
from scoring.site.boards import Board, View
from scoring.site.ranking import MANY
from scoring.site.scripts import short

Cells = list[list[float | None] | int | str]
"""Three factors with their intervals, the number of studies, and a remark on the pair."""


def has_causes(view: View) -> bool:
    """Whether the site has these values for every pair; for more pairs use `harness compare`."""
    return view.board.clock.name == "seconds" and len(view.board.scores) <= MANY


def cause_data(board: Board, view: View) -> list[dict[int, Cells]]:
    """For each entry A and each later B: factors in seconds, steps and step cost.

    Each factor has its interval; then follow the number of studies (for ports, trials) and the
    remark on two ports. Pairs without data are omitted.
    """
    attributor = Attributor(board.frame, view.board.rules)
    names = view.board.times.submissions
    return [
        {
            b: _cells(attribution)
            for b in range(a + 1, len(names))
            if (attribution := attributor.of(names[a], names[b])) is not None
        }
        for a in range(len(names))
    ]


def _cells(attribution: Attribution) -> Cells:
    parts = [
        _part(part) for part in (attribution.seconds, attribution.steps, attribution.step_cost)
    ]
    return [*parts, attribution.studies, attribution.remark]


def _part(part: Part) -> list[float | None]:
    return [short(value, 4) for value in (part.factor, part.low, part.high)]
