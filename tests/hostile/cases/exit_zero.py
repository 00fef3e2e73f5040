"""Ends in mid-trial, as if all were well."""

import os

from .honest import Honest


class Submission(Honest):
    def act(self) -> None:
        os._exit(0)
