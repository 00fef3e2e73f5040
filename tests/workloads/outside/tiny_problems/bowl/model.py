"""z = (1/2) sum_i h_i x_i^2 with h from 1 down to 1 / condition; the loss is its square, z^2."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.spec import Sizes


def curvatures(sizes: Sizes) -> npt.NDArray[np.float32]:
    """h, (dimensions,)."""
    return np.geomspace(1.0, 1.0 / sizes["condition"], sizes["dimensions"], dtype=np.float32)


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """The point x, (dimensions,), which starts at random."""
    size = sizes["dimensions"]
    return (ParameterSpec("point", (size,), Role.VECTOR, 1, size, Init("normal", 2.0)),)


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """None."""
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """None."""
    return ()
