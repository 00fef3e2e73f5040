"""The draws of `representation`, with one output: inputs (w, e), targets of zero."""

from __future__ import annotations

from workloads.landscapes.representation.data import prepare, source_files

__all__ = ["prepare", "source_files"]
