"""The norms that dual maps are defined for, by name and by role; `dual_maps` states them."""

from __future__ import annotations

from workloads.parameters import Role

KERNELS = ("by_offset", "reshaped")
POLISH = (1.875, -1.25, 0.375)
"""Coefficients of the quintic Newton-Schulz iteration, which converges to 1 from (0, 1.5)."""
MATRICES = (Role.HIDDEN_MATRIX, Role.OUTPUT, Role.CONVOLUTION)
NORMS: dict[Role, str] = {
    **dict.fromkeys(MATRICES, "rms_to_rms"),
    Role.EMBEDDING: "rows",
    Role.NORM: "largest",
    Role.BIAS: "rms",
    Role.VECTOR: "rms",
}
"""The norm that fits each role."""
SPECTRAL = ("rms_to_rms", "spectral")
OF_VECTORS = ("largest", "rms")
OF_MATRICES = (*SPECTRAL, "rows", *OF_VECTORS)
