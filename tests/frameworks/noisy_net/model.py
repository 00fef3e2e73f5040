"""A linear model after dropout: the smallest one whose passes draw random numbers."""

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.spec import Sizes


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    shape = (sizes["classes"], sizes["inputs"])
    return (
        ParameterSpec(
            name="output.weight", shape=shape, role=Role.OUTPUT,
            fan_in=shape[1], fan_out=shape[0], init=Init("normal", 1.0),
        ),
    )  # fmt: skip


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    return (LayerSpec(name="output", kind="linear", weight="output.weight"),)


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    return ()
