"""z = W x + b, with W (outputs, inputs) and b (outputs,)."""

from __future__ import annotations

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.spec import Sizes


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """Weight and bias."""
    fan_in, fan_out = sizes["inputs"], sizes["outputs"]
    weight, bias = Init("normal", 0.5), Init("constant", 0.0)
    return (
        ParameterSpec("line.weight", (fan_out, fan_in), Role.OUTPUT, fan_in, fan_out, weight),
        ParameterSpec("line.bias", (fan_out,), Role.BIAS, fan_in, fan_out, bias),
    )


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """None."""
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """The one linear layer."""
    return (LayerSpec("line", "linear", "line.weight", "line.bias"),)
