"""State that an optimizer keeps outside its `state_dict`: seen whatever kind of tensor it is."""

from __future__ import annotations

import pytest
import torch

from harness.core.errors import HarnessError
from harness.frameworks.torch.unsaved_state import UnsavedState


@pytest.mark.parametrize(
    "tensor",
    [torch.arange(6.0)[::2], torch.zeros(()).expand(4), torch.eye(3).to_sparse(), torch.ones(2)],
    ids=["strided", "expanded", "sparse", "plain"],
)
def test_a_tensor_beside_the_state_is_seen_to_change(tensor: torch.Tensor) -> None:
    optimizer = torch.optim.SGD([torch.zeros(3)], lr=0.1)
    vars(optimizer)["average"] = tensor
    state = UnsavedState(optimizer)
    state.refuse()
    vars(optimizer)["average"] = tensor + tensor
    with pytest.raises(HarnessError, match="average"):
        state.refuse()
