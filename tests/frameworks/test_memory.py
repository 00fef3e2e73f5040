"""A worker on a GPU may reserve what the referee's evaluation leaves, and no more."""

import pytest
import torch

from harness.frameworks.load import training_backend
from harness.frameworks.torch import memory


class Card:
    """An allocator of so many bytes, of which some are free."""

    def __init__(self, patch: pytest.MonkeyPatch, free: int, total: int) -> None:
        self.free, self.total, self.bounds = free, total, list[float]()
        patch.setattr(torch.cuda, "mem_get_info", lambda device: (self.free, self.total))
        patch.setattr(
            torch.cuda,
            "set_per_process_memory_fraction",
            lambda fraction, device: self.bounds.append(fraction),
        )
        patch.setattr(torch.cuda, "set_device", lambda device: None)


GIB = 2**30


def test_the_bound_is_what_is_free_but_for_a_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card(monkeypatch, 64 * GIB, 80 * GIB)
    memory.limit_memory(torch.device("cuda:0"))
    assert card.bounds == [0.75]


def test_a_full_card_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory.fraction(GIB // 2, 80 * GIB) == 0.0


def test_it_is_set_at_the_first_pin_and_then_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card(monkeypatch, 64 * GIB, 80 * GIB)
    backend = training_backend("torch", "cuda", 1)
    backend.pin()
    card.free = GIB  # what the worker itself has taken since is its own
    backend.pin()
    assert card.bounds == [0.75]
    training_backend("torch", "cpu", 1).pin()
    assert len(card.bounds) == 1


@pytest.mark.gpu
def test_on_a_gpu_what_goes_beyond_the_bound_is_out_of_memory() -> None:
    device = torch.device("cuda:0")
    memory.limit_memory(device)
    total = torch.cuda.get_device_properties(device).total_memory
    with pytest.raises(torch.OutOfMemoryError):
        torch.empty(total - memory.SPARE_BYTES // 2, dtype=torch.uint8, device=device)
    torch.cuda.set_per_process_memory_fraction(1.0, device)
