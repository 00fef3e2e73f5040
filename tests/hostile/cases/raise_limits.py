"""Raises its own limits."""

import resource

from .honest import Honest, attempt


def lift() -> None:
    infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_DATA, infinite)


class Submission(Honest):
    def act(self) -> None:
        attempt(lift, "lifted its limit on memory")
