"""Empty inputs and two targets of zero for each example: the loss depends on parameters alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workloads.data.split import write_split
from workloads.spec import Data

EXAMPLES = {"train": 1024, "validation": 1}
"""All are identical. An epoch of one example would draw a permutation at every step."""


def prepare(data: Data, instance_seed: str, folder: Path, data_dir: Path | None) -> None:
    """Write folder/{train,validation}/{inputs,targets}.npy: float32 (n, 0) and zeros (n, 2)."""
    del data, instance_seed, data_dir
    for split, count in EXAMPLES.items():
        write_split(
            folder, split, np.zeros((count, 0), np.float32), np.zeros((count, 2), np.float32)
        )


def source_files(data: Data, data_dir: Path | None) -> tuple[Path, ...]:
    """None: nothing is read."""
    del data, data_dir
    return ()
