"""The probes' data: examples of a teacher, and the disturbances of the training examples.

    regression   x ~ N(0, I), or one-hot;  y = T x,  T_ij ~ N(0, 1/inputs)
    clusters     x ~ N(c_k, I), c_k ~ N(0, separation^2 I), the class k falling in frequency

Held-out examples are as written here. Training examples go through `disturbances.py`, which knows
the step at which each is drawn: an instance's first epoch is as long as the budget, and its order
follows from the instance seed. A submission that draws more than one batch per step meets
everything earlier, and meets it again, in another order, in the epochs that follow.

With `condition` training inputs are anisotropic and held-out ones are not, so the held-out loss is
the distance from the teacher, with the same weight on every direction.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.seeds import permutation, philox, worker_seed
from workloads.data.split import write_split
from workloads.probes.disturbances import Disturbances, Matrix, Sample, disturb
from workloads.sizes import validate_settings
from workloads.spec import Count, Data, Frozen, Positive

VALIDATION = 1024
"""Number of held-out examples."""


class Regression(Disturbances):
    """The settings of `regression`."""

    inputs: Count
    outputs: Count
    condition: Annotated[float, Field(ge=1.0)] = 1.0
    """Condition number of the training inputs' covariance; eigenvalues are geometric, from 1."""
    is_rotated: bool = False
    """Whether the eigenvectors are random instead of the axes."""
    mean: float = 0.0
    """Mean of each training input."""
    rarity: Positive | None = None
    """Inputs are one-hot, the i-th with a frequency of i^-rarity; held out, all are as frequent."""


class Clusters(Frozen):
    """The settings of `clusters`."""

    steps: Count
    batch: Count
    inputs: Count
    classes: Count
    separation: Positive
    rarity: float
    """Class k, from 1, has a frequency proportional to k^-rarity, or equal to the others' if held
    out."""


def prepare(data: Data, instance_seed: str, folder: Path, data_dir: Path | None) -> None:
    """Write folder/{train,validation}/{inputs,targets}.npy: float32 (n, inputs) and targets.

    Raises:
        HarnessError: there is no such source, or a setting is not allowed.
    """
    del data_dir
    random = np.random.Generator(philox(instance_seed, "probe"))
    if data.source == "regression":
        regression = validate_settings(Regression, data.settings, "probes")
        train, validation = _regression(regression, random)
    elif data.source == "clusters":
        train, validation = _clusters(validate_settings(Clusters, data.settings, "probes"), random)
    else:
        raise HarnessError(
            f"probes: unknown data source '{data.source}'", "known: regression, clusters"
        )
    order = permutation(worker_seed(instance_seed), 0, len(train.inputs))
    places = np.argsort(order)
    write_split(folder, "train", train.inputs[places], train.targets[places])
    write_split(folder, "validation", validation.inputs, validation.targets)


def source_files(data: Data, data_dir: Path | None) -> tuple[Path, ...]:
    """None: the examples are generated."""
    del data, data_dir
    return ()


def _regression(settings: Regression, random: np.random.Generator) -> tuple[Sample, Sample]:
    """Training examples, in the order of the steps at which they are drawn, and held-out ones."""
    size = (settings.outputs, settings.inputs)
    teacher, other = random.standard_normal((2, *size)) / np.sqrt(settings.inputs)
    count = settings.steps * settings.batch
    held_out = _inputs(settings, VALIDATION, 0.0, random)
    inputs = _inputs(settings, count, settings.rarity or 0.0, random)
    inputs = inputs @ _mixing(settings, random).T + settings.mean
    steps = np.arange(count) // settings.batch
    outputs = inputs @ teacher.T
    if settings.other_teacher_until:
        is_other = steps < settings.other_teacher_until * settings.steps
        outputs = np.where(is_other[:, None], inputs @ other.T, outputs)
    train = disturb(settings, Sample(inputs, outputs), steps, random)
    return train.as_float32(), Sample(held_out, held_out @ teacher.T).as_float32()


def _inputs(settings: Regression, count: int, rarity: float, random: np.random.Generator) -> Matrix:
    """Inputs before any mixing, (count, inputs)."""
    if settings.rarity is None:
        return random.standard_normal((count, settings.inputs))
    places = random.choice(settings.inputs, count, p=_frequencies(settings.inputs, rarity))
    return np.asarray(np.eye(settings.inputs)[places])


def _mixing(settings: Regression, random: np.random.Generator) -> Matrix:
    """The square root of the inputs' covariance, (inputs, inputs)."""
    scales = np.geomspace(1.0, settings.condition**-0.5, settings.inputs)
    if not settings.is_rotated:
        return np.diag(scales)
    rotation, _ = np.linalg.qr(random.standard_normal((settings.inputs, settings.inputs)))
    return np.asarray(rotation * scales)


def _clusters(settings: Clusters, random: np.random.Generator) -> tuple[Sample, Sample]:
    centres = settings.separation * random.standard_normal((settings.classes, settings.inputs))
    counts = settings.steps * settings.batch, VALIDATION
    samples = []
    for count, rarity in zip(counts, (settings.rarity, 0.0), strict=True):
        classes = random.choice(settings.classes, count, p=_frequencies(settings.classes, rarity))
        inputs = centres[classes] + random.standard_normal((count, settings.inputs))
        samples.append(Sample(inputs.astype(np.float32), classes.astype(np.int64)))
    return samples[0], samples[1]


def _frequencies(count: int, rarity: float) -> Matrix:
    weights = np.arange(1, count + 1, dtype=np.float64) ** -rarity
    return np.asarray(weights / weights.sum())
