"""float64 in JAX, which otherwise makes float32 of it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from typing import cast

import jax


def float64_enabled() -> AbstractContextManager[None]:
    """A block within which new arrays, and what is compiled, may be float64."""
    home = jax if hasattr(jax, "enable_x64") else import_module("jax.experimental")  # before 0.8
    return cast("AbstractContextManager[None]", home.enable_x64(True))
