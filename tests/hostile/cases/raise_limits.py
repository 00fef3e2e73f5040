"""Raises its own limits."""

import resource

from .honest import Honest, attempt


def lift():
    infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_DATA, infinite)


class Submission(Honest):
    def act(self):
        attempt(lift, "lifted its limit on memory")
