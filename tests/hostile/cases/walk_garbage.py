"""Walks all objects of its process for the target of the trial, and makes it one that is met."""

import gc

from .honest import Honest, succeed


def attack() -> int:
    """How many targets it has found and eased."""
    targets = [found for found in gc.get_objects() if type(found).__name__ == "Target"]
    ours = [target for target in targets if target.value == 0.99]
    for target in ours:
        target.__dict__["value"] = 0.0
    return len(ours)


class Submission(Honest):
    def act(self) -> None:
        if count := attack():
            succeed(f"{count} targets were in this process")
