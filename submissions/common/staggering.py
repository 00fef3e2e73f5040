"""Expensive refreshes staggered over steps, so that no single step bears the whole cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def select_due(
    items: Sequence[Item], step: int, period: int, *, is_eager: bool = False, stagger: bool = True
) -> list[Item]:
    """The items due for a refresh: item j of n at steps j T / n modulo T, from the first on.

    Args:
        items: all items, always in the same order.
        step: steps since the first refresh, from 0; nothing is due at negative steps.
        period: steps between refreshes of an item (T).
        is_eager: whether in the first period item j is due at step j already, if that is earlier.
        stagger: False for all items at the same steps, 0, T, 2T, ...
    """
    offsets = [place * period // len(items) * stagger for place in range(len(items))]
    if is_eager and step < period:
        offsets = [min(place, offset) for place, offset in enumerate(offsets)]
    return [
        item
        for item, offset in zip(items, offsets, strict=True)
        if step >= offset and (step - offset) % period == 0
    ]
