"""What every event of a record is, and who says it."""

from __future__ import annotations

from typing import Literal

from harness.core.recorded import JsonObject, Recorded

Author = Literal["referee", "worker"]


class EventData(Recorded):
    """What one event says."""

    kind: str

    def as_json(self) -> JsonObject:
        """The `data` of its line, which has the kind beside it."""
        return self.model_dump(mode="json", exclude={"kind"})
