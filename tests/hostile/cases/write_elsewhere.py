"""Writes outside its scratch."""

from pathlib import Path

from .facts import ELSEWHERE
from .honest import Honest, attempt


class Submission(Honest):
    def act(self) -> None:
        attempt(Path(ELSEWHERE, "left-behind").touch, "wrote outside its scratch")
