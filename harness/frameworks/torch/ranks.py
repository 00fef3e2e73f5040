"""Ranks in torch: a process group over the loopback interface, and synchronised batch norm.

After a backward pass, the gradients and the loss are averaged as one flat array: one all-reduce per
step. Batch normalisation, which couples the examples of a batch, computes its statistics over all
ranks and is differentiated through them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from harness.frameworks.base import Place
from harness.submission.ranks import LostRankError, Ranks
from harness.submission.state import StateDict
from workloads.modules_torch import BatchNorm2d

PATIENCE = timedelta(days=30)
"""Effectively no timeout: ranks may be frozen while they wait, and the referee limits the time."""


class TorchRanks:
    """Implements `harness.submission.ranks.Ranks` by `torch.distributed`; one per process.

    Args:
        place: this process's rank; the constructor returns once all ranks have called it.
    """

    def __init__(self, place: Place) -> None:
        self.rank, self.world_size = place.rank, place.world_size
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # no other machine reaches it
        store = dist.FileStore(place.rendezvous, place.world_size)  # type: ignore[attr-defined]
        with _lost_ranks():
            dist.init_process_group(
                "gloo",
                store=store,
                rank=place.rank,
                world_size=place.world_size,
                timeout=PATIENCE,
            )

    def barrier(self) -> None:
        """Wait for all ranks.

        Raises:
            LostRankError: another rank has exited.
        """
        with _lost_ranks():
            dist.barrier()

    @torch.no_grad()
    def all_reduce_mean(self, values: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the ranks, in place, with a single all-reduce."""
        if not values:
            return
        flat = torch.cat([value.detach().reshape(-1) for value in values])
        with _lost_ranks():
            dist.all_reduce(flat)
        flat.div_(self.world_size)
        parts = flat.split([value.numel() for value in values])
        for value, part in zip(values, parts, strict=True):
            value.copy_(part.view_as(value))

    @torch.no_grad()
    def all_gather(self, value: Tensor) -> list[Tensor]:
        """The tensors of all ranks, in rank order; they must have the same shape."""
        source = value.detach().contiguous()
        tensors = [torch.empty_like(source) for _ in range(self.world_size)]
        with _lost_ranks():
            dist.all_gather(tensors, source)
        return tensors

    def all_gather_state(self, state: StateDict[Tensor]) -> list[StateDict[Tensor]]:
        """The states of all ranks, pickled; only processes of the same submission exchange them."""
        states: list[Any] = [None] * self.world_size
        with _lost_ranks():
            dist.all_gather_object(states, state)
        return cast("list[StateDict[Tensor]]", states)


def couple_batch_norms(model: nn.Module, ranks: TorchRanks) -> None:
    """Make every batch normalisation of a model use the statistics of the whole batch."""
    for module in model.modules():
        if isinstance(module, BatchNorm2d):
            ranked_module: Any = module
            ranked_module.__class__ = RankedBatchNorm2d
            ranked_module.ranks = ranks


class RankedBatchNorm2d(BatchNorm2d):
    """Batch normalisation of a batch divided among N ranks, each with (batch / N, channels, ...).

        m = mean over ranks of m_r,   v = mean over ranks of mean((x - m)^2)

    m_r is the mean of rank r's slice. Running statistics are updated with those of the whole batch.
    """

    ranks: TorchRanks

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise, scale and shift each channel."""
        if not self.training:
            return super().forward(inputs)
        values = inputs.float()
        mean = _mean(values.mean((0, 2, 3)), self.ranks)
        deviations = values - mean[:, None, None]
        variance = _mean(deviations.square().mean((0, 2, 3)), self.ranks)
        if self.is_tracking:
            self._track(mean, variance, self.ranks.world_size * values[:, 0].numel())
        scale = self.weight * (variance + self.eps).rsqrt()
        outputs = deviations * scale[:, None, None] + self.bias[:, None, None]
        return outputs.to(inputs.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics; the variance is made unbiased, for `count` values."""
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / max(1, count - 1)), self.momentum)


class _AllReduceMean(torch.autograd.Function):
    """A differentiable mean over ranks; gradients are those of the sum of all ranks' losses."""

    @staticmethod
    def forward(context: Any, value: Tensor, ranks: TorchRanks) -> Tensor:
        """y = (1/N) sum over ranks of x_r."""
        context.ranks = ranks
        mean = value.clone()
        ranks.all_reduce_mean([mean])
        return mean

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """dL/dx_r = (1/N) sum over ranks s of dL_s/dy, with L the sum of the ranks' losses L_s."""
        return _mean(gradient, context.ranks), None


def _mean(value: Tensor, ranks: TorchRanks) -> Tensor:
    result: Tensor = _AllReduceMean.apply(value, ranks)  # type: ignore[no-untyped-call]
    return result


def mean_of_passes(ranks: Ranks[Tensor], parameters: Mapping[str, Tensor], loss: Tensor) -> Tensor:
    """Average gradients and loss over the ranks, and return the loss of the whole batch.

    Args:
        ranks: the ranks, all of which call this after the backward pass through `loss`.
        parameters: their `grad` is averaged in place; one without `grad` must lack it on all ranks.
        loss: the loss of this rank's slice, a scalar.
    """
    whole = loss.detach().clone()
    gradients = [value.grad for value in parameters.values() if value.grad is not None]
    ranks.all_reduce_mean([*gradients, whole])
    return whole


@contextmanager
def _lost_ranks() -> Iterator[None]:
    """Report errors of communication as the loss of another rank."""
    try:
        yield
    except RuntimeError as error:
        raise LostRankError(f"another rank is gone: {error}") from error
