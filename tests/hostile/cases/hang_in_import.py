"""Hangs when it is imported."""

import time

from .honest import Honest

time.sleep(1.5)


class Submission(Honest):
    pass
