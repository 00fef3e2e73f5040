"""Where the difference in seconds of each pair of entries comes from, for the page of a pair."""

from __future__ import annotations

from scoring.attribution import Attribution, Attributor, Part
from scoring.site.boards import Board, View
from scoring.site.ranking import MANY
from scoring.site.scripts import short

Cells = list[list[float | None] | int | str]
"""Three factors with their intervals, over how many studies, and what is said of the two."""


def has_causes(view: View) -> bool:
    """Whether every pair has them beside the page; of more pairs `harness compare` says it."""
    return view.board.clock.name == "seconds" and len(view.board.scores) <= MANY


def cause_data(board: Board, view: View) -> list[dict[int, Cells]]:
    """For each entry A and each B after it: factors in seconds, steps and a step's cost.

    Each with its interval; then over how many studies (of ports, trials), and what is to be said of
    two ports. A pair that nothing is known of is left out.
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
