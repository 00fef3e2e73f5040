"""One split on disk: `inputs.npy` and `targets.npy` in a folder of the split's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def write_split(
    folder: Path, split: str, inputs: npt.NDArray[Any], targets: npt.NDArray[Any]
) -> None:
    """Write a split in the form that the referee maps: C-contiguous, every dtype as it is given.

    Args:
        folder: the instance's folder.
        split: `train`, `validation` or `test`.
        inputs: (examples, ...).
        targets: (examples, ...), of the type that the workload's loss wants.
    """
    place = folder / split
    place.mkdir(parents=True, exist_ok=True)
    np.save(place / "inputs.npy", np.ascontiguousarray(inputs), allow_pickle=False)
    np.save(place / "targets.npy", np.ascontiguousarray(targets), allow_pickle=False)
