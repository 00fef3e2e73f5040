"""Anisotropic Gaussian inputs with the labels of a hidden tanh network, some of them wrong.

    x = Q diag(lambda)^(1/2) w,   w ~ N(0, I),   y = argmax_c (V tanh(U w) - m)_c

lambda falls geometrically by the factor `condition` and has mean 1, Q is a rotation; U and V are
normal with rows of norm `gain` and 1 in the mean, and m is the classes' mean score. The teacher
sees w, so what it needs lies in directions of low variance as well. It is the same in every
instance, drawn from a published seed; inputs and wrong labels are the instance's. A fraction
`label_noise` of the training labels is drawn anew; held-out labels are the teacher's.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from harness.core.seeds import philox
from workloads.data.split import write_split
from workloads.sizes import validate_settings
from workloads.spec import Count, Data, Frozen, Positive

TEACHER_SEED = 20251129
SPLITS = ("train", "validation")
Matrix = npt.NDArray[np.float64]


class TeacherSettings(Frozen):
    """The settings in `workload.toml`; `inputs` and `classes` are those of its sizes."""

    train: Count
    validation: Count
    inputs: Count
    classes: Count
    units: Count = 32
    """Hidden units of the teacher."""
    gain: Positive = 1.0
    condition: Annotated[float, Field(ge=1.0)] = 100.0
    label_noise: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0


def prepare(data: Data, instance_seed: str, folder: Path, data_dir: Path | None) -> None:
    """Write folder/{train,validation}/: inputs (n, inputs) float32, targets (n,) int64."""
    del data_dir
    settings = validate_settings(TeacherSettings, data.settings, "small_mlp")
    random = np.random.Generator(philox(instance_seed, "teacher"))
    mixing = _mixing(settings)
    for split, count in zip(SPLITS, (settings.train, settings.validation), strict=True):
        draws = random.standard_normal((count, settings.inputs))
        labels = _labels(settings, draws)
        if split == "train":
            is_wrong = random.random(count) < settings.label_noise
            labels = np.where(is_wrong, random.integers(settings.classes, size=count), labels)
        write_split(folder, split, (draws @ mixing.T).astype(np.float32), labels)


def source_files(data: Data, data_dir: Path | None) -> tuple[Path, ...]:
    """None: the sample is drawn."""
    del data, data_dir
    return ()


def _mixing(settings: TeacherSettings) -> Matrix:
    random = np.random.Generator(np.random.Philox(key=TEACHER_SEED))
    rotation, _ = np.linalg.qr(random.standard_normal((settings.inputs, settings.inputs)))
    spectrum = np.geomspace(1.0, 1.0 / settings.condition, settings.inputs)
    mixing: Matrix = rotation * np.sqrt(spectrum / spectrum.mean())
    return mixing


def _labels(settings: TeacherSettings, draws: Matrix) -> npt.NDArray[np.int64]:
    random = np.random.Generator(np.random.Philox(key=TEACHER_SEED + 1))
    first = random.standard_normal((settings.units, settings.inputs)) / math.sqrt(settings.inputs)
    second = random.standard_normal((settings.classes, settings.units)) / math.sqrt(settings.units)
    middle = np.tanh(settings.gain * random.standard_normal((4096, settings.inputs)) @ first.T)
    scores = np.tanh(settings.gain * draws @ first.T) @ second.T
    centred_scores = scores - (middle @ second.T).mean(axis=0)
    labels: npt.NDArray[np.int64] = centred_scores.argmax(axis=1)
    return labels
