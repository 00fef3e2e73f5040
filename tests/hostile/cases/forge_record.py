"""Writes an ending of its own into the trial's record, which lies beside its log."""

import os
from pathlib import Path

from .honest import Honest, attempt


class Submission(Honest):
    def act(self):
        record = Path(os.readlink("/proc/self/fd/1")).with_name("events.jsonl")
        attempt(lambda: record.open("ab").write(b'{"kind": "end"}\n'), "wrote into the record")
