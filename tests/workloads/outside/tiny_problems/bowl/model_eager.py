"""The bowl in a framework of the package's own, which is PyTorch."""

from __future__ import annotations

from .model_torch import build

__all__ = ["build"]
