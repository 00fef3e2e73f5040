"""Standard normal draws of inputs and noise, targets of zero; held-out examples have no noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.core.seeds import philox
from workloads.data.split import write_split
from workloads.sizes import validate_settings
from workloads.spec import Count, Data, Frozen


class DrawSettings(Frozen):
    """The settings in `workload.toml`; `inputs` and `outputs` are those of its sizes."""

    train: Count
    validation: Count
    inputs: Count
    outputs: Count


def prepare(data: Data, instance_seed: str, folder: Path, data_dir: Path | None) -> None:
    """Write folder/{train,validation}/: inputs (n, inputs + outputs), targets (n, outputs)."""
    del data_dir
    settings = validate_settings(DrawSettings, data.settings, "representation")
    random = np.random.Generator(philox(instance_seed, "draws"))
    for split, count in (("train", settings.train), ("validation", settings.validation)):
        draws = random.standard_normal((count, settings.inputs + settings.outputs))
        if split != "train":
            draws[:, settings.inputs :] = 0.0
        targets = np.zeros((count, settings.outputs), np.float32)
        write_split(folder, split, draws.astype(np.float32), targets)


def source_files(data: Data, data_dir: Path | None) -> tuple[Path, ...]:
    """None: the sample is drawn."""
    del data, data_dir
    return ()
