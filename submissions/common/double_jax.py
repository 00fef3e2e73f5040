"""float64 in JAX, which otherwise makes float32 of it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import cast

import jax


def float64_enabled() -> AbstractContextManager[None]:
    """A block within which new arrays, and what is compiled, may be float64."""
    if hasattr(jax, "enable_x64"):
        return cast("AbstractContextManager[None]", jax.enable_x64(True))
    from jax.experimental import enable_x64  # where jax before 0.8 has it

    return cast("AbstractContextManager[None]", enable_x64())
