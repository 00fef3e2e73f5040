"""Which layers get Kronecker factors, and how shared weights are treated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from workloads.parameters import LayerSpec, ParameterSpec, Role

SHARING = ("expand", "reduce")
"""The two ways to treat a shared weight; the formulas are in `kronecker_factors`."""


def preconditionable(
    layers: Sequence[LayerSpec], specs: Mapping[str, ParameterSpec], max_dim: int
) -> list[LayerSpec]:
    """Layers that get factors: no embeddings, shared weights or dimensions above `max_dim`.

    Args:
        layers: the model's layers.
        specs: specs of all parameters, by name.
        max_dim: longest dimension that a factor may have, counting in + 1 for the input.
    """
    owners = [layer.weight for layer in layers]

    def fits(spec: ParameterSpec) -> bool:
        return max(spec.shape[0], math.prod(spec.shape[1:]) + 1) <= max_dim

    return [
        layer
        for layer in layers
        if specs[layer.weight].role != Role.EMBEDDING
        and owners.count(layer.weight) == 1
        and fits(specs[layer.weight])
    ]
