"""Leaves links to others' folders in its scratch, for whoever cleans up or collects."""

from pathlib import Path

from .facts import ELSEWHERE
from .honest import Honest


class Submission(Honest):
    def act(self) -> None:
        Path("link").symlink_to(ELSEWHERE)
        Path("deep").mkdir()
        Path("deep/up").symlink_to("../../..")
