"""Device settings, synchronisation and the speed probe of torch."""

from __future__ import annotations

import torch

from harness.frameworks.products import Products
from harness.frameworks.torch import precision


class TorchDevice:
    """A device, its settings and its work queue."""

    def __init__(self, device: str, threads: int) -> None:
        self.device = with_index(torch.device(device))
        self.threads = threads
        self._products = Products(self._multiply, self.device.type)

    def pin(self) -> None:
        """Set threads, determinism and precision to the declared values.

        On CPU, deterministic kernels are requested (an operation without one warns); on CUDA they
        are not, because they are slower. TF32 and cuDNN's autotuner are off: float32 means float32,
        and no kernel is selected by timing.
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
        """Wait for all streams of the device; CPU operations are complete when they return."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def probe(self) -> None:
        """Run some matrix products and wait until the device has finished them."""
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
