"""The losses that a workload may declare: what their targets are and which metrics they offer.

A loss is added here, and as an object of the same name in `harness/frameworks/*/loss.py`. With N
targets in a batch, `value` is a mean over them, and sampled targets come from the distribution
whose negative log-likelihood is the loss, so that the Fisher matrix is the Gauss-Newton matrix
(Martens, 2014):

    cross_entropy   -(1/N) sum log p[y], p = softmax(z); y ~ p
    squared_error   (1/N) sum (z - y)^2, each entry a target, no factor of 1/2; y ~ N(z, 1/2), for
                    -log N(y; z, s^2) = (z - y)^2 / (2 s^2) + constant
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LossSpec:
    """The properties of a loss that are the same in every framework."""

    targets: Literal["classes", "reals"]
    """`classes`: integers (examples, ...) from 0 to below `sizes.classes`, one for each vector of
    logits (examples, ..., classes). `reals`: float32, shaped as what the model returns."""
    metrics: tuple[str, ...]
    """The metrics of an evaluation; each is a mean over all targets of a split."""


LOSSES: dict[str, LossSpec] = {
    "cross_entropy": LossSpec("classes", ("loss", "accuracy")),
    "squared_error": LossSpec("reals", ("loss",)),
}


def known_loss(name: str) -> str:
    """The name of a loss, unless there is no such loss.

    Raises:
        ValueError: names the known ones; pydantic adds the key and its value.
    """
    if name not in LOSSES:
        raise ValueError(f"unknown loss; known: {', '.join(LOSSES)}")
    return name
