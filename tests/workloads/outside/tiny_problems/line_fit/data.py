"""Standard normal inputs and targets that are linear in them, but for some noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.core.seeds import philox
from workloads.data.split import write_split
from workloads.spec import Data

INPUTS, OUTPUTS = 4, 3
EXAMPLES = {"train": 256, "validation": 128}


def prepare(data: Data, instance_seed: str, folder: Path, data_dir: Path | None) -> None:
    """Write float32 inputs (n, 4) and targets (n, 3); slopes and sample are the instance's."""
    random = np.random.Generator(philox(instance_seed, "line"))
    slopes = random.standard_normal((OUTPUTS, INPUTS))
    for split, count in EXAMPLES.items():
        inputs = random.standard_normal((count, INPUTS))
        noise = data.settings["noise"] * random.standard_normal((count, OUTPUTS))
        targets = inputs @ slopes.T + noise
        write_split(folder, split, inputs.astype(np.float32), targets.astype(np.float32))


def source_files(data: Data, data_dir: Path | None) -> tuple[Path, ...]:
    """None: the data are generated."""
    return ()
