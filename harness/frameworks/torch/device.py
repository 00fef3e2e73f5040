"""Torch on one device."""

from __future__ import annotations

import torch

from harness.frameworks.products import Products
from harness.frameworks.torch import precision


class TorchDevice:
    """A device, its switches and its queue of work."""

    def __init__(self, device: str, threads: int) -> None:
        self.device = with_index(torch.device(device))
        self.threads = threads
        self._products = Products(self._multiply, self.device.type)

    def pin(self) -> None:
        """Fix threads, determinism and precision.

        On CPU deterministic kernels are asked for (an operation without one warns); on CUDA they
        are not, for their cost. TF32 and cuDNN's autotuner are off: float32 means float32, and no
        kernel is chosen by a timing.
        """
        torch.set_num_threads(self.threads)
        torch.use_deterministic_algorithms(self.device.type == "cpu", warn_only=True)
        # Determinism would otherwise also fill every new tensor, which only hides misuse.
        precision.Flag(torch.utils.deterministic, "fill_uninitialized_memory", False).set()
        precision.pin(self.device.type)
        torch.backends.cudnn.benchmark = False
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)

    def synchronize(self) -> None:
        """Wait for all streams of the device; CPU operations are done when they return."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def probe(self) -> None:
        """Some matrix products, until the device has finished them."""
        self._products()

    def _multiply(self, side: int, count: int) -> None:
        matrix = torch.full((side, side), 1.0 / side, device=self.device)
        for _ in range(count):
            matrix = matrix @ matrix
        self.synchronize()


def with_index(device: torch.device) -> torch.device:
    """`cuda` as `cuda:0`: torch sets no device without an index, and tensors carry theirs."""
    if device.type == "cuda" and device.index is None:
        return torch.device(device.type, 0)
    return device
