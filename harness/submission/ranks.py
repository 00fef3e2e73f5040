"""The processes that train one model together, and what a submission may exchange between them.

With `--devices N` a trial has N *ranks* in torch, one a device. All of them run the same submission
over the same parameters: each draws the same batches from its stream and is given its slice of
each, the r-th of N equal ones. Where the harness makes the passes (`build`), loss and gradients are
means over all ranks before an optimizer sees them, so that an optimizer which knows nothing of this
computes the same on every rank. A submission that divides its state or its work among the ranks
does so by `problem.ranks`: all ranks make the same calls in the same order.

In jax one process has all devices, arrays are of the whole batch, and there is one rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol

from harness.submission.state import ArrayT, StateDict


class LostRankError(Exception):
    """Another rank has exited or stopped responding; the cause is that rank's own error."""


class Ranks(Protocol[ArrayT]):
    """This process among those that train together; every method is called on all of them."""

    @property
    def rank(self) -> int:
        """Which of them it is, from 0; rank 0's weights are those that are evaluated and kept."""
        ...

    @property
    def world_size(self) -> int:
        """How many there are; with 1, nothing is exchanged."""
        ...

    def all_reduce_mean(self, values: Sequence[ArrayT]) -> None:
        """Replace each array by its mean over the ranks, in place and in one exchange.

        Args:
            values: of the same shapes and one dtype on every rank.

        Raises:
            LostRankError: a rank is gone.
        """
        ...

    def all_gather(self, value: ArrayT) -> list[ArrayT]:
        """The arrays of all ranks, in their order.

        Args:
            value: of the same shape and dtype on every rank.

        Raises:
            LostRankError: a rank is gone.
        """
        ...

    def all_gather_state(self, state: StateDict[ArrayT]) -> list[StateDict[ArrayT]]:
        """The states of all ranks, in their order: for `state_dict`, and too slow for a step.

        Args:
            state: of any form, which may differ between ranks.

        Raises:
            LostRankError: a rank is gone.
        """
        ...


class OneRank(Generic[ArrayT]):
    """A process that trains alone: nothing is exchanged."""

    rank = 0
    world_size = 1

    def all_reduce_mean(self, values: Sequence[ArrayT]) -> None:
        """Nothing: each is its own mean."""

    def all_gather(self, value: ArrayT) -> list[ArrayT]:
        """The array itself."""
        return [value]

    def all_gather_state(self, state: StateDict[ArrayT]) -> list[StateDict[ArrayT]]:
        """The state itself."""
        return [state]
