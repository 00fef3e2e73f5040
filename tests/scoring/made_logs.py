"""Made-up logs in AlgoPerf's layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

Row = tuple[float | str, ...]
HEAD = ("global_step", "score", "validation/accuracy")


def write_trial(root: Path, place: str, rows: Sequence[Row], head: tuple[str, ...] = HEAD) -> Path:
    """A trial's file; `place` is submission/study/workload_framework/trial."""
    folder = root / place
    folder.mkdir(parents=True)
    lines = [",".join(head), *(",".join(str(cell) for cell in row) for row in rows)]
    path = folder / "eval_measurements.csv"
    path.write_text("\n".join(lines) + "\n")
    return path
