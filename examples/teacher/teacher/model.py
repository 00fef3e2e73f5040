"""z = V tanh(W x + b) + c; names, shapes and roles of what is trained, for all frameworks.

The referee draws the initial parameters from these, and checks every snapshot against them.
"""

from __future__ import annotations

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.spec import Sizes


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """Weight (out, in) and bias (out,) of both layers."""
    return (
        *_linear("hidden", Role.HIDDEN_MATRIX, sizes["inputs"], sizes["hidden"]),
        *_linear("output", Role.OUTPUT, sizes["hidden"], sizes["outputs"]),
    )


def _linear(name: str, role: Role, fan_in: int, fan_out: int) -> tuple[ParameterSpec, ...]:
    weight, bias = Init("normal", fan_in**-0.5), Init("constant", 0.0)
    return (
        ParameterSpec(f"{name}.weight", (fan_out, fan_in), role, fan_in, fan_out, weight),
        ParameterSpec(f"{name}.bias", (fan_out,), Role.BIAS, fan_in, fan_out, bias),
    )


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """None: there is no batch normalisation."""
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """What curvature methods may look into."""
    return tuple(
        LayerSpec(name, "linear", f"{name}.weight", f"{name}.bias") for name in ("hidden", "output")
    )
