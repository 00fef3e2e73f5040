"""An infinite gradient at a finite loss: classes that clip or bound their steps do not hide it."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness.providers.registry import submission_folders
from harness.submission.interface import Batch
from tests.frameworks.kit import Kit, plain
from tests.tiers import nightly_but

from .given_problem import default_point

ARRAYS: dict[str, Any] = {"torch": torch.from_numpy, "jax": jnp.asarray}
CASES = [(f, n) for f in ARRAYS for n in ("natural_gradient", "sophia_g", "sophia_h")]
AT_EVERY_COMMIT = [*(case for case in CASES if case[0] == "torch"), ("jax", "sophia_g")]


class OverflowingStream:
    """Batches whose first input is 0, or 3e38 while `overflows`."""

    overflows = False

    def __init__(self, kit: Kit) -> None:
        self.array, self.inner = ARRAYS[kit.framework], kit.stream()

    def next(self, count: int | None = None) -> Batch[Any]:
        batch = self.inner.next(count)
        inputs = plain(batch.inputs).copy()
        inputs[:, 0] = 3e38 if self.overflows else 0.0
        return Batch(self.array(inputs), batch.targets)


def make_gradients_overflow(kit: Kit) -> None:
    """Weights of zero on the first input, and errors of some hundreds from the output."""
    values = {name: plain(value).copy() for name, value in kit.problem.parameters.items()}
    values["hidden_1.weight"][:, 0] = 0.0
    values["output.weight"] *= 1e3
    kit.backend.load(kit.problem, values)


@pytest.mark.parametrize(("framework", "name"), nightly_but(AT_EVERY_COMMIT, CASES))
def test_an_infinite_gradient_shows_up_at_once(framework: str, name: str) -> None:
    kit = Kit(framework)
    make_gradients_overflow(kit)
    point = default_point(name, weight_decay=0.0)
    ours, stream = kit.submission(submission_folders()[name], **point), OverflowingStream(kit)
    if name != "natural_gradient":  # Sophia's estimate of the first step would overflow, too
        ours.step(stream)
    stream.overflows = True
    assert np.isfinite(float(ours.step(stream)))
    assert not np.isfinite(plain(ours.eval_parameters()["hidden_1.weight"])[:, 0]).all()
