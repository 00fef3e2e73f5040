"""Standard normal inputs, and what a random network makes of them, but for some noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.core.seeds import philox
from workloads.data.split import write_split
from workloads.spec import Data

INPUTS, OUTPUTS, TRAIN = 8, 4, 16384


def prepare(data: Data, instance_seed: str, folder: Path, data_dir: Path | None) -> None:
    """Write folder/{train,validation}/{inputs,targets}.npy, all drawn from the instance's seed.

    Inputs are float32 (n, 8), targets float32 (n, 4). A worker sees those in `train` alone.
    """
    random = np.random.Generator(philox(instance_seed, "teacher"))
    units = int(data.settings["units"])
    first = random.standard_normal((units, INPUTS)) / INPUTS**0.5
    last = random.standard_normal((OUTPUTS, units)) / units**0.5
    for split, count in {"train": TRAIN, "validation": int(data.settings["validation"])}.items():
        inputs = random.standard_normal((count, INPUTS))
        noise = data.settings["noise"] * random.standard_normal((count, OUTPUTS))
        targets = np.tanh(2.0 * inputs @ first.T) @ last.T + noise
        write_split(folder, split, inputs.astype(np.float32), targets.astype(np.float32))


def source_files(data: Data, data_dir: Path | None) -> tuple[Path, ...]:
    """The files that `prepare` reads: none, as the data are generated."""
    return ()
