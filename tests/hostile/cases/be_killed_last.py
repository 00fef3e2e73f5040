"""Moves itself to the end of the line for the kernel's killer."""

from pathlib import Path

from .honest import Honest, attempt


class Submission(Honest):
    def act(self) -> None:
        attempt(lambda: Path("/proc/self/oom_score_adj").write_text("-999"), "is killed last")
