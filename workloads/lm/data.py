"""The transformer language model's data: generated, from a text, or from shards."""

from __future__ import annotations

from pathlib import Path

from workloads.data import sequences
from workloads.data.sequences import source_files
from workloads.spec import Data

__all__ = ["prepare", "source_files"]


def prepare(data: Data, instance_seed: str, folder: Path, data_dir: Path | None) -> None:
    """Write an instance's splits; see `workloads.data.sequences.prepare`."""
    sequences.prepare("lm", data, instance_seed, folder, data_dir)
