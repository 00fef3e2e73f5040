"""heavyball without compilation, which takes minutes per class on a CPU.

The operations are the same, but run one by one.
"""

from __future__ import annotations

import heavyball

heavyball.utils.compile_mode = None


def __getattr__(name: str) -> object:
    if name.startswith("_"):
        raise AttributeError(name)
    return getattr(heavyball, name)
