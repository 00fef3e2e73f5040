"""One split on disk: `inputs.npy` and `targets.npy` in a folder named after the split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def write_split(
    folder: Path, split: str, inputs: npt.NDArray[Any], targets: npt.NDArray[Any]
) -> None:
    """Write a split in the layout that the referee maps: C-contiguous, with dtypes unchanged.

    Args:
        folder: the instance's folder.
        split: `train`, `validation` or `test`.
        inputs: the inputs, (examples, ...).
        targets: the integer or real targets, (examples, ...).
    """
    place = folder / split
    place.mkdir(parents=True, exist_ok=True)
    np.save(place / "inputs.npy", np.ascontiguousarray(inputs), allow_pickle=False)
    np.save(place / "targets.npy", np.ascontiguousarray(targets), allow_pickle=False)
