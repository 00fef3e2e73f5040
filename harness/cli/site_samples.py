"""Sample examples of a workload for its page: pictures and texts.

For generated data, a handful of a trial's instance is generated again; for a text, its beginning is
shown if the file is on this machine. Other data are not read.
"""

from __future__ import annotations

import base64
import io
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.core.errors import HarnessError
from harness.plan.trial import Trial
from harness.providers.registry import Workload

if TYPE_CHECKING:
    from scoring.site.material import Sample

COUNT = 12
TEXTS = 3
TOKENS = 64
"""The number of tokens shown of a sequence."""
CHARACTERS = 600
"""The number of characters shown of a text."""
TEXT_FILES = (".txt", ".md")


def samples_of(workload: Workload, trial: Trial) -> tuple[Sample, ...]:
    """A few training examples as a worker receives them; none if they are not available.

    Args:
        workload: the workload in the trial's suite.
        trial: a trial, whose instance the examples are from.
    """
    data = workload.at(trial.suite).data
    if data is None:
        return ()
    module = workload.module("data")
    try:
        source = module.source_files(data, None)
    except HarnessError:  # what it is made of is not on this machine
        return ()
    if source:
        return beginning(source)
    if not {"train", "validation"} <= data.settings.keys():
        return ()
    few = {**data.settings, "train": COUNT, "validation": COUNT}
    with tempfile.TemporaryDirectory() as folder:
        module.prepare(
            data.model_copy(update={"settings": few}), trial.instance_seed, Path(folder), None
        )
        inputs, targets = (
            np.load(Path(folder, "train", f"{n}.npy")) for n in ("inputs", "targets")
        )
    return _as_samples(inputs[:COUNT], targets[:COUNT])


def beginning(files: tuple[Path, ...]) -> tuple[Sample, ...]:
    """The beginning of the first of some files, if it is text."""
    from scoring.site.material import Sample

    if files[0].suffix not in TEXT_FILES:
        return ()
    with files[0].open(encoding="utf-8", errors="replace") as file:
        return (Sample(text=file.read(CHARACTERS), label=files[0].name),)


def _as_samples(inputs: npt.NDArray[Any], targets: npt.NDArray[Any]) -> tuple[Sample, ...]:
    """Show examples (n, ...) by kind: images, square arrays of values, or tokens."""
    from scoring.site.material import Sample

    if inputs.ndim == 4 and inputs.dtype == np.uint8:
        images = inputs.transpose(0, 2, 3, 1)
        return tuple(Sample(picture(i), label=str(t)) for i, t in zip(images, targets, strict=True))
    if inputs.ndim == 2 and np.issubdtype(inputs.dtype, np.integer):
        texts = (" ".join(map(str, row[:TOKENS])) for row in inputs[:TEXTS])
        return tuple(Sample(text=text, label="token ids") for text in texts)
    side = math.isqrt(inputs[0].size)
    if inputs.ndim == 2 and side > 1 and side * side == inputs.shape[1] and targets.ndim == 1:
        grey = _grey(inputs).reshape(-1, side, side, 1).repeat(3, axis=-1)
        return tuple(Sample(picture(i), label=str(t)) for i, t in zip(grey, targets, strict=True))
    return ()


def _grey(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Values as grey levels: the mean is mid-grey, two standard deviations are black and white."""
    levels = (values - values.mean()) / (4.0 * (values.std() or 1.0)) + 0.5
    return np.asarray(255 * levels.clip(0.0, 1.0), dtype=np.uint8)


def picture(pixels: npt.NDArray[np.uint8]) -> str:
    """An image (height, width, 3) as a data URL of a PNG."""
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, pixels, format="png", metadata={"Software": "guided-descent"})
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
