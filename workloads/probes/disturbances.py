"""The disturbances of a probe's training examples, each at certain steps of the budget.

Scaling an example by s, inputs and targets alike, leaves its solution where it is and multiplies
the gradient and the curvature of its squared error by s^2.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from workloads.spec import Count, Fraction, Frozen, Positive

Matrix = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]


class Sample(NamedTuple):
    """Inputs (n, inputs), and targets (n, outputs) or classes (n,)."""

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[Any]

    def as_float32(self) -> Sample:
        """The sample in the precision of a model's inputs."""
        return Sample(self.inputs.astype(np.float32), self.targets.astype(np.float32))

    def scale(self, scales: Matrix) -> Sample:
        """Multiply each example by its scale, (n,)."""
        return Sample(self.inputs * scales[:, None], self.targets * scales[:, None])


class Disturbances(Frozen):
    """The disturbances of a probe; none by default."""

    steps: Count
    """Length of the budget."""
    batch: Count
    noise: Annotated[float, Field(ge=0.0)] = 0.0
    """Scale of the noise added to the targets: normal, or Student's t with `degrees`."""
    degrees: Positive | None = None
    """Degrees of freedom; up to 2 the noise has no variance."""
    scales: tuple[Positive, Positive] = (1.0, 1.0)
    """Scales of the examples of the first and the last step, interpolated geometrically."""
    spike: tuple[int, float] | None = None
    """(step, scale): that step's examples are scaled, and their targets have the opposite sign."""
    nan_step: int | None = None
    """A step at which one target is NaN."""
    silent_until: Fraction | None = None
    """The first half of the inputs is 0 up to this fraction of the steps."""
    other_teacher_until: Fraction | None = None
    """The targets are another teacher's up to this fraction of the steps."""
    contrary: tuple[int, float] | None = None
    """(period, scale): in each period of steps, the last has its examples scaled and all others
    have targets of the opposite sign."""


def disturb(
    settings: Disturbances, sample: Sample, steps: Steps, random: np.random.Generator
) -> Sample:
    """The examples as a submission meets them; `steps`, (n,), is the step of each."""
    for change in (_silence, _add_noise, _contradict, _rescale, _spike, _add_nan):
        sample = change(settings, sample, steps, random)
    return sample


def _silence(settings: Disturbances, sample: Sample, steps: Steps, _: Any) -> Sample:
    if settings.silent_until is None:
        return sample
    inputs = sample.inputs.copy()
    is_silent = steps < settings.silent_until * settings.steps
    half = inputs.shape[1] // 2
    # Targets keep the part of the silent inputs, which until then is unexplained noise.
    inputs[is_silent, :half] = 0.0
    return Sample(inputs, sample.targets)


def _add_noise(
    settings: Disturbances, sample: Sample, _: Steps, random: np.random.Generator
) -> Sample:
    shape = sample.targets.shape
    if not settings.noise:
        return sample
    noise = (
        random.standard_normal(shape)
        if settings.degrees is None
        else random.standard_t(settings.degrees, shape)
    )
    return Sample(sample.inputs, sample.targets + settings.noise * noise)


def _contradict(settings: Disturbances, sample: Sample, steps: Steps, _: Any) -> Sample:
    if settings.contrary is None:
        return sample
    every, scale = settings.contrary
    is_right = steps % every == every - 1
    signs = np.where(is_right, 1.0, -1.0)
    opposite = Sample(sample.inputs, sample.targets * signs[:, None])
    return opposite.scale(np.where(is_right, scale, 1.0))


def _rescale(settings: Disturbances, sample: Sample, steps: Steps, _: Any) -> Sample:
    first, last = settings.scales
    if first == last == 1.0:
        return sample
    return sample.scale(first * (last / first) ** (steps / max(1, settings.steps - 1)))


def _spike(settings: Disturbances, sample: Sample, steps: Steps, _: Any) -> Sample:
    if settings.spike is None:
        return sample
    step, scale = settings.spike
    is_spike = steps == step
    outliers = Sample(sample.inputs, np.where(is_spike[:, None], -1.0, 1.0) * sample.targets)
    return outliers.scale(np.where(is_spike, scale, 1.0))


def _add_nan(settings: Disturbances, sample: Sample, steps: Steps, _: Any) -> Sample:
    if settings.nan_step is None:
        return sample
    targets = sample.targets.copy()
    targets[np.searchsorted(steps, settings.nan_step), 0] = np.nan
    return Sample(sample.inputs, targets)
