"""Writes an ending of its own into the trial's record, which lies beside its log."""

from pathlib import Path

from .honest import Honest, attempt


class Submission(Honest):
    def act(self) -> None:
        record = Path("/proc/self/fd/1").readlink().with_name("events.jsonl")
        attempt(lambda: record.open("ab").write(b'{"kind": "end"}\n'), "wrote into the record")
