"""Leaves links to others' folders in its scratch, for whoever cleans up or collects."""

import os

from .facts import ELSEWHERE
from .honest import Honest


class Submission(Honest):
    def act(self):
        os.symlink(ELSEWHERE, "link")
        os.mkdir("deep")
        os.symlink("../../..", "deep/up")
