"""The examples of Wilson's separable problem; see `model.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from harness.core.seeds import philox
from workloads.data.split import write_split
from workloads.sizes import validate_settings
from workloads.spec import Count, Data, Frozen

SHARED = 3
OWN = 5
"""Number of features that belong to one example alone."""


class SeparableSettings(Frozen):
    """The settings in `workload.toml`."""

    train: Count
    validation: Count
    positive: Annotated[float, Field(gt=0.5, lt=1.0)]
    """The fraction of examples with y = 1, the same in both splits."""


def prepare(data: Data, instance_seed: str, folder: Path, data_dir: Path | None) -> None:
    """Write folder/{train,validation}/: inputs (n, 3 + 5 train), targets (n,), 1 for y = 1."""
    del data_dir
    settings = validate_settings(SeparableSettings, data.settings, "separable")
    random = np.random.Generator(philox(instance_seed, "separable"))
    width = SHARED + OWN * settings.train
    for split, count in (("train", settings.train), ("validation", settings.validation)):
        targets = (np.arange(count) < round(settings.positive * count)).astype(np.int64)
        random.shuffle(targets)
        inputs = np.zeros((count, width), np.float32)
        inputs[:, 0], inputs[:, 1:SHARED] = 2 * targets - 1, 1.0
        if split == "train":
            _set_own(inputs[:, SHARED:].reshape(count, count, OWN), targets)
        write_split(folder, split, inputs, targets)


def source_files(data: Data, data_dir: Path | None) -> tuple[Path, ...]:
    """None: the examples are generated."""
    del data, data_dir
    return ()


def _set_own(own: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]) -> None:
    """Set each example's own features, in place; own is (n, n, 5)."""
    for example, target in enumerate(targets):
        own[example, example, : 1 if target else OWN] = 1.0
