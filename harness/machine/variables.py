"""Environment variables that affect kernels, thread pools and allocators; they are recorded."""

from __future__ import annotations

import os
from functools import cache

PREFIXES = (
    "ATEN_", "BLIS_", "CUBLAS_", "CUDA_", "DNNL_", "GOMP_", "JAX_", "KMP_", "MALLOC_", "MKL_",
    "NCCL_", "NVIDIA_TF32_", "NVPL_", "OMP_", "ONEDNN_", "OPENBLAS_", "PYTORCH_", "TORCH_",
    "VECLIB_", "XLA_",
)  # fmt: skip
NAMES = ("GLIBC_TUNABLES", "LD_PRELOAD")
SPINNING = {"GOMP_SPINCOUNT": "1000"}
"""How long a libgomp thread spins at a barrier before it sleeps: some microseconds.

The default of milliseconds is very slow next to other programs: beside five busy processes two
threads made 2 to 12 steps of `mlp` a second, and 42 to 86 with this setting.
"""
LONGEST = 500
"""Characters kept of a value."""


def limit_spinning() -> None:
    """Set `SPINNING` for this process; it has an effect only before libgomp (torch) is loaded."""
    for name, value in SPINNING.items():
        os.environ.setdefault(name, value)


@cache
def kernel_variables() -> dict[str, str]:
    """The variables that this process was started with, by name.

    A framework sets some of its own when it opens a device, so the first look is the one that
    counts.
    """
    return {
        name: value[:LONGEST]
        for name, value in sorted(os.environ.items())
        if name.startswith(PREFIXES) or name in NAMES
    }
