"""The base of all events of a record."""

from __future__ import annotations

from typing import Literal

from harness.core.recorded import JsonObject, Recorded

Author = Literal["referee", "worker"]


class EventData(Recorded):
    """The data of one event."""

    kind: str

    def as_json(self) -> JsonObject:
        """The `data` of its line; the kind is beside it."""
        return self.model_dump(mode="json", exclude={"kind"})
