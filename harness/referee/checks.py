"""What a worker hands over is hostile input: every tensor is checked against the model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.frameworks.adapter import Parameters
from harness.wire import Tensors, WireError
from workloads.parameters import ParameterSpec


def checked_parameters(tensors: Tensors, specs: Mapping[str, ParameterSpec]) -> Parameters:
    """The tensors as the model's parameters, in its order.

    Raises:
        WireError: a name, a shape or a dtype is not the model's.
    """
    if set(tensors) != set(specs):
        odd = sorted(set(tensors) ^ set(specs))
        raise WireError(f"a snapshot whose parameters differ from the model's: {', '.join(odd)}")
    for name, spec in specs.items():
        tensor = tensors[name]
        if tensor.shape != spec.shape or tensor.dtype != np.float32:
            raise WireError(
                f"parameter '{name}' came as {tensor.dtype}{list(tensor.shape)}; "
                f"the model's is float32{list(spec.shape)}"
            )
    return {name: tensors[name] for name in specs}


def are_finite(parameters: Parameters) -> bool:
    """Whether no entry is NaN or infinite."""
    return all(bool(np.isfinite(array).all()) for array in parameters.values())
