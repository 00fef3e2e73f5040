"""heavyball without its compiler, which takes minutes a class on a processor.

Its operations then run one by one, the same ones.
"""

from __future__ import annotations

import heavyball

heavyball.utils.compile_mode = None


def __getattr__(name: str) -> object:
    if name.startswith("_"):
        raise AttributeError(name)
    return getattr(heavyball, name)
