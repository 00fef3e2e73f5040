"""Standard normal inputs with sample mean 0, targets of zero; the held-out example has no noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.core.seeds import philox
from workloads.data.split import write_split
from workloads.sizes import validate_settings
from workloads.spec import Count, Data, Frozen


class NoiseSettings(Frozen):
    """The settings in `workload.toml`."""

    examples: Count
    dimensions: Count


def prepare(data: Data, instance_seed: str, folder: Path, data_dir: Path | None) -> None:
    """Write folder/{train,validation}/{inputs,targets}.npy, all float32 (n, dimensions)."""
    del data_dir
    settings = validate_settings(NoiseSettings, data.settings, "noisy_quadratic")
    random = np.random.Generator(philox(instance_seed, "noise"))
    noise = random.standard_normal((settings.examples, settings.dimensions))
    noise -= noise.mean(axis=0)
    splits = {"train": noise.astype(np.float32), "validation": np.zeros_like(noise[:1], np.float32)}
    for split, inputs in splits.items():
        write_split(folder, split, inputs, np.zeros_like(inputs))


def source_files(data: Data, data_dir: Path | None) -> tuple[Path, ...]:
    """None: the noise is drawn."""
    del data, data_dir
    return ()
