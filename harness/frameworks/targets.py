"""Checks of targets against the loss, for every framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.core.errors import HarnessError
from harness.frameworks.examples import Examples
from workloads.losses import LOSSES


def check_targets(loss: str, splits: Mapping[str, Examples]) -> None:
    """Check that every split's targets have the dtype kind that the loss takes.

    Raises:
        HarnessError: a split's targets have another dtype; the message names both.
    """
    wants_classes = LOSSES[loss].targets == "classes"
    for name, split in splits.items():
        dtype = split.targets.dtype
        if not (np.issubdtype(dtype, np.integer) if wants_classes else dtype == np.float32):
            kind = "integers" if wants_classes else "float32"
            raise HarnessError(
                f"the targets of split '{name}' are {dtype}; loss {loss} takes {kind}",
                "convert them in the workload's data.py",
            )


def check_same_shape(predictions: Sequence[int], targets: Sequence[int]) -> None:
    """Check that real targets have the predictions' shape, so that they are not broadcast.

    Raises:
        HarnessError: the shapes differ; the message names both.
    """
    if tuple(predictions) != tuple(targets):
        raise HarnessError(
            f"the model's predictions have shape {tuple(predictions)}, their targets "
            f"{tuple(targets)}",
            "loss squared_error takes a target for each entry of the predictions",
        )
