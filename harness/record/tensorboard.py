"""TensorBoard events of one trial, written as its record grows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event as EventProto
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter


class Board:
    """Turns snapshot and evaluation events into scalars over steps."""

    def __init__(self, folder: Path) -> None:
        self._writer = EventFileWriter(str(folder))

    def show(self, kind: str, data: Mapping[str, Any]) -> None:
        """Write the scalars of one event, if it has any."""
        if kind == "snapshot":
            claims = data["claims"]
            self._scalars(
                data["step"],
                {
                    "claimed/train_loss": claims["train_loss"],
                    "claimed/learning_rate": claims["learning_rate"],
                    "budget/share": data["share"],
                    "budget/timed_s": data["timed_s"],
                },
            )
        elif kind == "evaluation":
            groups = ("validation", "test", "probe")
            found = {f"{g}/{k}": v for g in groups for k, v in data.get(g, {}).items()}
            self._scalars(data["step"], found)

    def close(self) -> None:
        """Flush and close the file."""
        self._writer.close()

    def _scalars(self, step: int, values: Mapping[str, float | None]) -> None:
        summary = Summary(
            value=[
                Summary.Value(tag=tag, simple_value=value)
                for tag, value in values.items()
                if value is not None
            ]
        )
        self._writer.add_event(EventProto(wall_time=time.time(), step=step, summary=summary))
