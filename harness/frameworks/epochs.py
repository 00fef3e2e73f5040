"""The part of the training stream that all frameworks share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, Self

from harness.core.errors import HarnessError
from harness.frameworks.order import Order
from harness.submission.interface import Batch
from harness.submission.state import ArrayT


class EpochStream(ABC, Generic[ArrayT]):
    """Endless batches; the next examples depend on the position alone, not on batch sizes.

    Each epoch's permutation is copied to the device once.

    Args:
        order: gives the permutation of each epoch.
        batch_size: the default number of examples of `next()`.
        world_size: the number of devices that a batch is divided among, in equal slices. Positions
            and counts are those of the whole batch; a subclass that yields only its own slice does
            so in the abstract methods.
    """

    def __init__(self, order: Order, batch_size: int, world_size: int = 1) -> None:
        self.position = 0
        self.batch_size = batch_size
        self._order = order
        self._world_size = world_size
        self._examples = order.examples
        self._epoch = -1
        self._offset = self._examples
        """The position of the next batch within the epoch."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch[ArrayT]:
        return self.next()

    def next(self, batch_size: int | None = None) -> Batch[ArrayT]:
        """The next `batch_size` examples; by default the workload's batch size.

        Raises:
            HarnessError: the batch cannot be divided equally among the devices.
        """
        count = self.batch_size if batch_size is None else batch_size
        if count % self._world_size:
            raise HarnessError(
                f"a batch of {count} examples cannot be divided among {self._world_size} devices",
                f"draw multiples of {self._world_size}, or run with fewer --devices",
            )
        if self._offset + count <= self._examples:
            batch = self._within_epoch(count)
        else:
            batch = self._across_epochs(count)
        self.position += count
        return batch

    def seek(self, position: int) -> None:
        """Continue from another position."""
        epoch, self._offset = divmod(position, self._examples)
        self._enter_epoch(epoch)
        self.position = position

    @abstractmethod
    def _within_epoch(self, count: int) -> Batch[ArrayT]:
        """The next examples, all within the current epoch; advances the offset."""

    @abstractmethod
    def _across_epochs(self, count: int) -> Batch[ArrayT]:
        """The next examples across epoch ends; advances epoch and offset."""

    @abstractmethod
    def _enter_epoch(self, epoch: int) -> None:
        """Copy an epoch's permutation, and its crops, to the device."""
