"""Which of many costly refreshes are due at a step, spread so that no step pays for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def due(items: Sequence[Item], step: int, period: int, *, eager: bool = False) -> list[Item]:
    """The items to refresh: item j of n at steps j T / n modulo T, from the first on.

    Args:
        items: all of them, always in the same order.
        step: steps since the first refresh, from 0; below it nothing is due.
        period: T.
        eager: whether in the first period item j has its turn at step j, if that is sooner.
    """
    offsets = [place * period // len(items) for place in range(len(items))]
    if eager and step < period:
        offsets = [min(place, offset) for place, offset in enumerate(offsets)]
    return [
        item
        for item, offset in zip(items, offsets, strict=True)
        if step >= offset and (step - offset) % period == 0
    ]
