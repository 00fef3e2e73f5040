"""Looks for held-out data beside the training data and in the cache above them."""

from pathlib import Path
from typing import Any

import numpy as np

from .honest import Honest, attempt

SEEN: list[Path] = []
_load = np.load


def load(path: str, *arguments: Any, **options: Any) -> object:
    SEEN.append(Path(path))
    return _load(path, *arguments, **options)


np.load = load  # type: ignore[assignment]


def read() -> None:
    folder = SEEN[-1].parent
    places = [folder.parent, *folder.parent.parent.glob("instances/*")]
    files = [place / "validation" / "targets.npy" for place in places]
    if not any(_load(file).size for file in files if file.exists()):
        raise FileNotFoundError("no held-out data")


class Submission(Honest):
    def act(self) -> None:
        attempt(read, "read held-out targets")
