"""The splits of a workload without data: inputs that are empty, targets that are zero.

It stands in for a workload's `data.py`, so that streams, evaluation and records are those of any
other workload. The model's loss is then a function of its parameters alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workloads.data.split import write_split
from workloads.spec import Data

EXAMPLES = {"train": 1024, "validation": 1}
"""All are identical. An epoch of one example would draw a permutation at every step, in 0.1 ms."""


def prepare(data: Data | None, instance_seed: str, folder: Path, data_dir: Path | None) -> None:
    """Write folder/{train,validation}/{inputs,targets}.npy: float32 (n, 0) and zeros (n, 1)."""
    del data, instance_seed, data_dir
    for split, count in EXAMPLES.items():
        inputs, targets = np.zeros((count, 0), np.float32), np.zeros((count, 1), np.float32)
        write_split(folder, split, inputs, targets)


def source_files(data: Data | None, data_dir: Path | None) -> tuple[Path, ...]:
    """None: nothing is read."""
    del data, data_dir
    return ()
