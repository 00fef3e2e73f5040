"""Leaves something where the next trial's compiler looks, and looks whether it was left there."""

import os
from pathlib import Path

from .honest import Honest, succeed


class Submission(Honest):
    def act(self) -> None:
        cache = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
        if (cache / "poison").exists():
            succeed("found what the last trial left")
        cache.mkdir(exist_ok=True)
        (cache / "poison").touch()
