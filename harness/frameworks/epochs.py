"""The training stream as far as it is the same in every framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, Self

from harness.core.errors import HarnessError
from harness.frameworks.order import Order
from harness.submission.interface import Batch
from harness.submission.state import ArrayT


class EpochStream(ABC, Generic[ArrayT]):
    """Endless batches; what comes next depends on the position alone, not on batch sizes.

    Each epoch's permutation goes to the device once.

    Args:
        order: of the examples.
        batch_size: of `next()`.
        world_size: on how many devices a batch is divided, in equal slices. Whoever has its own
            slice alone says so in the methods below; positions and counts are of the whole batch.
    """

    def __init__(self, order: Order, batch_size: int, world_size: int = 1) -> None:
        self.position = 0
        self.batch_size = batch_size
        self._order = order
        self._world_size = world_size
        self._examples = order.examples
        self._epoch = -1
        self._offset = self._examples
        """Where the next batch begins in the epoch."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch[ArrayT]:
        return self.next()

    def next(self, batch_size: int | None = None) -> Batch[ArrayT]:
        """The next examples: as many as asked for, or the workload's batch size.

        Raises:
            HarnessError: they cannot be divided equally among the devices.
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
        """Go on from another position."""
        epoch, self._offset = divmod(position, self._examples)
        self._enter_epoch(epoch)
        self.position = position

    @abstractmethod
    def _within_epoch(self, count: int) -> Batch[ArrayT]:
        """The next examples, none of which lies beyond the epoch's end; moves the offset."""

    @abstractmethod
    def _across_epochs(self, count: int) -> Batch[ArrayT]:
        """The next examples over the ends of epochs; moves epoch and offset."""

    @abstractmethod
    def _enter_epoch(self, epoch: int) -> None:
        """Bring an epoch's permutation, and its crops, to the device."""
