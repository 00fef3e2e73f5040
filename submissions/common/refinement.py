"""Schedule refinement from a run's gradient norms (Defazio et al., 2023).

With norms G_1 ... G_T recorded in an earlier run at equal intervals over the horizon,

    G^ = median filter of G over tau T neighbours
    w_t = G^_t^-p
    eta_t = w_t sum_{s > t} w_s,   divided by its maximum

p = 2 with Euclidean norms for SGD, p = 1 with l1 norms for Adam and other coordinate-wise methods
(their Theorem 3 and its corollary). Constant norms give linear decay; initially large norms give a
warmup, and norms that grow towards the end an earlier decay.

Source: Defazio, Cutkosky, Mehta and Mishchenko (2023), Algorithm 1. Deviations: none; between the
T points the factor is interpolated linearly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.core.errors import HarnessError
from harness.submission.interface import Hyperparameters, Schedule

Array = npt.NDArray[np.float64]


def refine_schedule(norms: Sequence[float], power: float = 2.0, smoothing: float = 0.1) -> Schedule:
    """The refined schedule for recorded gradient norms.

    Args:
        norms: gradient norms at equal intervals over the horizon; at least two, all positive.
        power: exponent p of the weights.
        smoothing: width of the median filter as a fraction of the norms (tau); 0 for none.

    Raises:
        HarnessError: there are too few norms, or one is not positive and finite.
    """
    values = np.asarray(norms, dtype=np.float64)
    if values.size < 2 or not (np.isfinite(values) & (values > 0)).all():
        raise HarnessError(
            f"gradient norms are {norms}", "allowed: two or more positive, finite numbers"
        )
    weights = smooth_norms(values, smoothing) ** -power
    after = np.append(np.cumsum(weights[:0:-1])[::-1], 0.0)
    factors = weights * after
    factors = factors / factors.max()
    fractions = np.linspace(0.0, 1.0, values.size)

    def factor(fraction: float) -> float:
        return float(np.interp(fraction, fractions, factors))

    return factor


def smooth_norms(norms: Array, width: float) -> Array:
    """Running median over a fraction of the norms, padding the start by repetition and mirroring
    the end.
    """
    reach = int(width * norms.size) // 2
    padded_norms = np.pad(np.pad(norms, (reach, 0), "edge"), (0, reach), "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded_norms, 2 * reach + 1)
    medians: Array = np.median(windows, axis=1)
    return medians


def from_point(point: Hyperparameters) -> Schedule:
    """The schedule of a point: `gradient_norms`, and optionally `norm_power` and `smoothing`."""
    if "gradient_norms" not in point:
        raise HarnessError(
            "the schedule 'refined' needs the hyperparameter 'gradient_norms'",
            'give a run\'s norms at equal distances, for example gradient_norms = "2.1 1.7 1.6"',
        )
    try:
        norms = [float(word) for word in str(point["gradient_norms"]).split()]
    except ValueError as error:
        raise HarnessError(f"gradient_norms: {error}", "give numbers apart by spaces") from error
    return refine_schedule(
        norms, float(point.get("norm_power", 2.0)), float(point.get("smoothing", 0.1))
    )
