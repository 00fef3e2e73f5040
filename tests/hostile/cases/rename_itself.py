"""Calls itself by bytes that are no text, so that whoever reads its name falls over."""

import ctypes

from .honest import Honest

PR_SET_NAME = 15


class Submission(Honest):
    def act(self) -> None:
        ctypes.CDLL(None).prctl(PR_SET_NAME, b"\xff\xfe) R 0")
