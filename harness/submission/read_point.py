"""A point that records which of its hyperparameters are read: one that is never read has no effect,
although plans, records and reports show it.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import Any


class ReadPoint(dict[str, Any]):
    """The point that a submission gets in a check or a rehearsal.

    Listing the names does not count as reading. Any access to all values, or a copy, reads the
    whole point.

    Args:
        point: a value for each hyperparameter.

    Attributes:
        unread: the names that have not been read so far.
    """

    def __init__(self, point: Mapping[str, Any]) -> None:
        super().__init__(point)
        self.unread = set(point)

    def __getitem__(self, name: str) -> Any:
        self.unread.discard(name)
        return super().__getitem__(name)

    def __iter__(
        self,
    ) -> Iterator[str]:  # else `dict(point)` and `**point` would not ask for values
        return super().__iter__()

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a name, which is then read."""
        self.unread.discard(name)
        return super().get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        """The value of a name, which is then read and gone."""
        self.unread.discard(name)
        return super().pop(name, *default)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """All names with their values."""
        self.unread.clear()
        return super().items()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """All values."""
        self.unread.clear()
        return super().values()

    def copy(self) -> dict[str, Any]:
        """The values alone."""
        self.unread.clear()
        return dict(super().items())
