"""The training stream in torch: resident examples, gathered by the instance's order."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.frameworks.adapter import Examples
from harness.interface import Batch
from harness.order import Order


def resident(examples: Examples, device: torch.device) -> tuple[Tensor, Tensor]:
    """A split's own copy on the device: inputs as they are typed, targets as int64."""
    inputs = torch.tensor(examples.inputs, device=device)
    return inputs, torch.tensor(examples.targets, device=device, dtype=torch.int64)


class TorchStream:
    """Endless batches; what comes next depends on the position alone, not on batch sizes.

    Each epoch's permutation goes to the device once; a step slices it and gathers.
    """

    def __init__(
        self, examples: Examples, order: Order, batch_size: int, device: torch.device
    ) -> None:
        self.position = 0
        self.batch_size = batch_size
        self._inputs, self._targets = resident(examples, device)
        self._order = order
        self._examples = order.examples
        self._epoch = -1
        self._offset = self._examples
        self._permutation = torch.empty(0, dtype=torch.int64, device=device)

    def next(self, batch_size: int | None = None) -> Batch[Tensor]:
        """The next examples: as many as asked for, or the workload's batch size."""
        count = self.batch_size if batch_size is None else batch_size
        stop = self._offset + count
        if stop <= self._examples:
            index = self._permutation[self._offset : stop]
            self._offset = stop
        else:
            index = self._across_epochs(count)
        self.position += count
        return Batch(self._inputs.index_select(0, index), self._targets.index_select(0, index))

    def _across_epochs(self, count: int) -> Tensor:
        parts = []
        while count > 0:
            if self._offset == self._examples:
                self._next_epoch()
            part = self._permutation[self._offset : self._offset + count]
            self._offset += len(part)
            count -= len(part)
            parts.append(part)
        return torch.cat(parts)

    def _next_epoch(self) -> None:
        self._epoch += 1
        self._offset = 0
        permutation = torch.from_numpy(self._order.epoch(self._epoch))
        self._permutation = permutation.to(self._permutation.device)
