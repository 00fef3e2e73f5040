"""What is written around a board's table: its columns' heads, its caption, its notes."""

from __future__ import annotations

from scoring.draws import METHODS
from scoring.report.tables import DESCRIPTIVE, SCREENING
from scoring.site.boards import View, scored_columns
from scoring.site.rows import Row
from scoring.uncertainty import LEVEL

RANKS = (
    "Rank: one plus the number of entries settled to be faster, as harness compare settles a pair "
    "(95 % of the draws, whatever the bounds). No entry of rank 1 is settled to be slower than any "
    "other. Within a rank the order is that of the score, and says nothing."
)


def heads(view: View) -> list[Row]:
    """The heads of its columns, and what each sorts by."""
    fixed: list[Row] = [
        {"text": "rank", "key": "rank", "n": True, "sort": "ascending", "title": RANKS},
        {"text": "submission", "key": "name", "n": False, "sort": "", "title": "By name"},
        {"text": "score", "key": "score", "n": True, "sort": "", "title": "Score and interval"},
        {
            "text": "speed-up",
            "key": "speedup",
            "n": True,
            "sort": "",
            "title": "Over all workloads",
        },
    ]
    what = f"speed-up over {view.against}"
    columns = enumerate(scored_columns(view.board))
    return fixed + [
        {"text": name, "key": f"w{at}", "n": True, "sort": "", "title": f"{name}: {what}"}
        for at, name in columns
    ]


def caption(view: View | None) -> str:
    """What its numbers are; nothing where nothing is scored."""
    if view is None:
        return ""
    return (
        f"Score, and speed-up over {view.against}, with {LEVEL:.0%} intervals from two studies on. "
        "By workload the speed-up, blue where faster and orange where slower; marks >= and <= are "
        "bounds, ~ both, ? neither reached."
    )


def said(view: View) -> str:
    """Whose clock it goes by."""
    return f"Clock: {view.board.clock.name}, {view.board.clock.said_by}."


def notes(view: View) -> list[str]:
    """How its ranks and intervals are to be read."""
    if view.sure is None:
        return [f"This is a {SCREENING}."]
    return [RANKS, f"Intervals: {LEVEL:.0%}, by {METHODS[view.sure.method]}. {DESCRIPTIVE}"]
