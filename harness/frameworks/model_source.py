"""What a workload's package declares of its model, looked up by the package's name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from harness.core.errors import HarnessError
from harness.core.modules import spec_of
from harness.frameworks.examples import ModelSource, Parameters
from workloads.parameters import BufferSpec, LayerSpec, ParameterSpec, Spec


def specs_of(source: ModelSource) -> dict[str, ParameterSpec]:
    """The model's parameters by name, in their order."""
    module = importlib.import_module(f"{source.package}.model")
    specs: tuple[ParameterSpec, ...] = module.parameters(source.sizes)
    return {spec.name: spec for spec in specs}


def buffers_of(source: ModelSource) -> dict[str, BufferSpec]:
    """The model's buffers by name, in their order."""
    module = importlib.import_module(f"{source.package}.model")
    specs: tuple[BufferSpec, ...] = module.buffers(source.sizes)
    return {spec.name: spec for spec in specs}


def shapes_of(source: ModelSource) -> dict[str, tuple[int, ...]]:
    """The shapes of a snapshot's arrays: parameters, then buffers."""
    specs: list[Spec] = [*specs_of(source).values(), *buffers_of(source).values()]
    return {spec.name: spec.shape for spec in specs}


def layers_of(source: ModelSource) -> tuple[LayerSpec, ...]:
    """The layers whose inputs and output gradients can be captured."""
    layers: tuple[LayerSpec, ...] = importlib.import_module(f"{source.package}.model").layers(
        source.sizes
    )
    return layers


def diagnostics_of(source: ModelSource) -> Callable[[Parameters], dict[str, float]] | None:
    """The parameter diagnostics of the workload's `diagnostics.py`; None without such a file."""
    name = f"{source.package}.diagnostics"
    if spec_of(name) is None:
        return None
    return partial(importlib.import_module(name).diagnostics, sizes=source.sizes)


def build(source: ModelSource, framework: str) -> object:
    """The model defined in `<package>.model_<framework>`."""
    module = importlib.import_module(f"{source.package}.model_{framework}")
    model: object = module.build(source.sizes)
    return model


def with_dropout(source: ModelSource, rate: float) -> ModelSource:
    """The same model at another dropout rate."""
    return replace(source, sizes={**source.sizes, "dropout": rate})


def check_shapes(
    declared_shapes: Mapping[str, tuple[int, ...]], shapes: Mapping[str, tuple[int, ...]], what: str
) -> None:
    """Check that parameters and buffers have the declared names and shapes.

    Raises:
        HarnessError: one is missing, unknown or has another shape; the message names the first.
    """
    for name in [*declared_shapes, *shapes]:
        have = tuple(shapes[name]) if name in shapes else None
        want = declared_shapes.get(name)
        if have != want:
            raise HarnessError(
                f"{what}: parameter '{name}' has shape {have}, declared is {want}",
                f"declared parameters: {', '.join(declared_shapes)}",
            )
