"""Walks all objects of its process for the search of the target, and gives it one that is met."""

import gc

from .honest import Honest, succeed


def attack() -> int:
    """How many searches it has found and changed."""
    searches = [found for found in gc.get_objects() if type(found).__name__ == "TargetSearch"]
    for search in searches:
        search._target = search._target.model_copy(update={"value": 0.0})
    return len(searches)


class Submission(Honest):
    def act(self) -> None:
        if count := attack():
            succeed(f"{count} searches were in this process")
