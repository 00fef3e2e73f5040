"""The recurrent language model's data: generated, from text files, or from shards."""

from __future__ import annotations

from pathlib import Path

from workloads.data import sequences
from workloads.spec import Data


def prepare(data: Data, instance_seed: str, folder: Path, data_dir: Path | None) -> None:
    """Write an instance's splits; see `workloads.data.sequences.prepare`."""
    sequences.prepare("rnn", data, instance_seed, folder, data_dir)


def source_files(data: Data, data_dir: Path | None) -> tuple[Path, ...]:
    """The files that `prepare` reads; see `workloads.data.sequences.source_files`."""
    return sequences.source_files("rnn", data, data_dir)
