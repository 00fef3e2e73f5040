"""Conversion between tensors and numpy arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.frameworks.generators import plain_array, plain_value
from harness.frameworks.model_source import check_shapes
from harness.submission.state import HostArray

AS_IT_READS = "-"
"""The memory layout of a contiguous tensor: the last axis is the innermost."""


def export(parameters: Mapping[str, Tensor]) -> dict[str, npt.NDArray[np.float32]]:
    """Copies as float32 arrays, fetched from the device in one transfer."""
    with torch.no_grad():
        flat = torch.cat([value.detach().float().flatten() for value in parameters.values()])
    host: npt.NDArray[np.float32] = flat.cpu().numpy()
    arrays = {}
    start = 0
    for name, value in parameters.items():
        arrays[name] = host[start : start + value.numel()].reshape(value.shape)
        start += value.numel()
    return arrays


def export_into(
    parameters: Mapping[str, Tensor],
    shapes: Mapping[str, tuple[int, ...]],
    slot: npt.NDArray[np.float32],
) -> None:
    """Write tensors into one array, as float32, one after another in the order of `shapes`.

    Raises:
        HarnessError: a name or a shape differs from the expected one.
    """
    given_shapes = {name: tuple(value.shape) for name, value in parameters.items()}
    check_shapes(shapes, given_shapes, "the parameters to be evaluated")
    with torch.no_grad():
        parts = [parameters[name].detach().float().flatten() for name in shapes]
        target = torch.from_numpy(slot)
        if all(part.device.type == "cpu" for part in parts):
            torch.cat(parts, out=target)
        else:
            target.copy_(_pin(torch.cat(parts)))


def _pin(values: Tensor) -> Tensor:
    """A copy of device values in pinned memory, which a GPU copies to several times faster.

    Torch caches the memory of such a tensor for the next one of the same size.
    """
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    return host.copy_(values)


def to_host(value: object) -> tuple[HostArray, str] | None:
    """A tensor as an array, and a mark: its dtype, device kind and order of axes in memory.

    Bfloat16, which numpy lacks, is stored as its bits.
    """
    if not isinstance(value, Tensor):
        return plain_array(value)
    host, mark = value.detach().cpu(), str(value.dtype).removeprefix("torch.")
    mark = f"{mark} {'host' if value.device.type == 'cpu' else 'device'} {_layout(value)}"
    bits = host.contiguous().view(torch.int16) if host.dtype == torch.bfloat16 else host
    return bits.numpy(), mark


def from_host(array: HostArray, mark: str, device: torch.device) -> Tensor | HostArray | np.generic:
    """A tensor with the mark's dtype and memory layout.

    Fused optimizer steps read state in memory order, on the CPU without a check, so the momentum of
    a weight must have the weight's memory layout.
    """
    if mark.startswith("numpy"):
        return plain_value(array, mark)
    dtype, place, layout = mark.split()
    tensor = torch.from_numpy(array.copy())
    if dtype == "bfloat16":
        tensor = tensor.view(torch.bfloat16)
    if layout != AS_IT_READS:
        order = [int(axis) for axis in layout.split(",")]
        tensor = tensor.permute(order).contiguous().permute(np.argsort(order).tolist())
    return tensor if place == "host" else tensor.to(device)


def _layout(tensor: Tensor) -> str:
    """The axes of a tensor from outermost to innermost in memory, joined by commas."""
    if tensor.layout != torch.strided or tensor.is_contiguous():
        return AS_IT_READS
    order = sorted(range(tensor.ndim), key=lambda axis: -tensor.stride()[axis])
    return ",".join(map(str, order))
