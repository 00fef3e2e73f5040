"""Which sides of a matrix have a basis; `submission.py` states the choices."""

from __future__ import annotations

from harness.core.errors import UnknownNameError

CHOICES = ("both", "short")


def sides_of(rows: int, columns: int, choice: str) -> tuple[str, ...]:
    """The sides of a matrix (rows, columns) with a basis; of a square `short` is the right one.

    Raises:
        UnknownNameError: the choice is not one of `CHOICES`.
    """
    if choice not in CHOICES:
        raise UnknownNameError("sides", choice, CHOICES)
    if choice == "both":
        return ("left", "right")
    return ("left",) if rows < columns else ("right",)
