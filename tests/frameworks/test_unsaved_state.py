"""State that an optimizer keeps outside its `state_dict`: seen whatever kind of tensor it is."""

from __future__ import annotations

import pytest
import torch

from harness.core.errors import HarnessError
from harness.frameworks.torch.unsaved_state import UnsavedState


class Averaging(torch.optim.SGD):
    """An author's class, which may keep what it likes."""

    average: torch.Tensor


@pytest.mark.parametrize(
    "tensor",
    [torch.arange(6.0)[::2], torch.zeros(()).expand(4), torch.eye(3).to_sparse(), torch.ones(2)],
    ids=["strided", "expanded", "sparse", "plain"],
)
def test_a_tensor_beside_the_state_is_seen_to_change(tensor: torch.Tensor) -> None:
    optimizer = Averaging([torch.zeros(3)], lr=0.1)
    optimizer.average = tensor
    state = UnsavedState(optimizer)
    state.refuse()
    optimizer.average = tensor.to_dense() + 1.0
    with pytest.raises(HarnessError, match="average"):
        state.refuse()
