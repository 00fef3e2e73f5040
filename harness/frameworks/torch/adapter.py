"""What torch does for the referee and the worker."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.frameworks.base import PROBE, EvalConfig, Examples, ModelSource, Parameters
from harness.frameworks.generators import (
    global_state,
    plain_array,
    plain_value,
    set_global_state,
)
from harness.frameworks.model_source import check_shapes
from harness.frameworks.order import Order
from harness.frameworks.torch import precision as torch_precision
from harness.frameworks.torch.evaluator import TorchEvaluator
from harness.frameworks.torch.loading import submission_at
from harness.frameworks.torch.problem import TorchProblem
from harness.frameworks.torch.stream import TorchStream
from harness.submission.interface import BudgetView, Hyperparameters, Submission
from workloads.spec import Augmentation

AS_IT_READS = "-"
"""The layout of a tensor whose last axis is the innermost in memory, and so on outwards."""


class TorchAdapter:
    """Torch on one device (`harness.frameworks.base.Adapter`)."""

    def __init__(self, device: str, threads: int) -> None:
        self.device = torch.device(device)
        self.threads = threads

    def pin(self) -> None:
        """Fix threads, determinism and precision.

        On CPU deterministic kernels are asked for (an operation without one warns); on CUDA they
        are not, for their cost. TF32 and cuDNN's autotuner are off: float32 means float32, and no
        kernel is chosen by a timing.
        """
        torch.set_num_threads(self.threads)
        torch.use_deterministic_algorithms(self.device.type == "cpu", warn_only=True)
        # Determinism would otherwise also fill every new tensor, which only hides misuse.
        deterministic: Any = torch.utils.deterministic
        deterministic.fill_uninitialized_memory = False
        torch_precision.pin(self.device.type)
        torch.backends.cudnn.benchmark = False
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)

    def synchronize(self) -> None:
        """Wait for all streams of the device; CPU operations are done when they return."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def probe(self) -> None:
        """Some matrix products, until the device has finished them."""
        side, products = PROBE[self.device.type]
        matrix = torch.full((side, side), 1.0 / side, device=self.device)
        for _ in range(products):
            matrix = matrix @ matrix
        self.synchronize()

    def passes(self, problem: TorchProblem) -> Sequence[tuple[Any, str]]:
        """Of whatever door: all forward passes of a problem, all backward passes of torch."""
        autograd: Any = torch.autograd
        return (problem, "_logits"), (problem, "_value"), (autograd, "backward"), (autograd, "grad")

    def problem(
        self, source: ModelSource, budget: BudgetView, batch_size: int, examples: int, seed: int
    ) -> TorchProblem:
        """The submission's view of the workload, its parameters still zero."""
        problem = TorchProblem(source, budget, batch_size, examples, seed, device=self.device)
        with torch.no_grad():
            for parameter in problem.parameters.values():
                parameter.zero_()
        return problem

    def load(self, problem: TorchProblem, parameters: Parameters) -> None:
        """Copy everything in place, drop gradients and counts, and seed every generator."""
        live = {**problem.parameters, **problem.buffers}
        shapes = {name: value.shape for name, value in parameters.items()}
        wanted = {name: tuple(value.shape) for name, value in live.items()}
        check_shapes(wanted, shapes, "parameters to be loaded")
        with torch.no_grad():
            for name, value in live.items():
                value.copy_(torch.tensor(parameters[name]))
                value.grad = None
        problem.model.train()
        problem.reset_counts()
        torch.manual_seed(problem.seed)
        problem.generator.manual_seed(problem.seed)
        np.random.seed(problem.seed % 2**32)
        random.seed(problem.seed)

    def stream(
        self,
        examples: Examples,
        order: Order,
        batch_size: int,
        augmentation: Augmentation | None = None,
    ) -> TorchStream:
        """The training stream over the examples, from position 0."""
        return TorchStream(examples, order, batch_size, self.device, augmentation)

    def submission(self, location: str, hyperparameters: Hyperparameters) -> Submission:
        """Import a submission through any of its doors; `setup` is still to be called."""
        return submission_at(location, hyperparameters)

    def export(self, parameters: Mapping[str, Tensor]) -> dict[str, npt.NDArray[np.float32]]:
        """Copies as float32 arrays, brought from the device in one transfer."""
        with torch.no_grad():
            flat = torch.cat([value.detach().float().flatten() for value in parameters.values()])
        host: npt.NDArray[np.float32] = flat.cpu().numpy()
        arrays = {}
        start = 0
        for name, value in parameters.items():
            arrays[name] = host[start : start + value.numel()].reshape(value.shape)
            start += value.numel()
        return arrays

    def to_host(self, value: Any) -> tuple[npt.NDArray[Any], str] | None:
        """A tensor; the mark is its dtype, its place and the order of its axes in memory.

        Bfloat16, which numpy lacks, goes as its bits.
        """
        if not isinstance(value, Tensor):
            return plain_array(value)
        host, mark = value.detach().cpu(), str(value.dtype).removeprefix("torch.")
        mark = f"{mark} {'host' if value.device.type == 'cpu' else 'device'} {_layout(value)}"
        bits = host.contiguous().view(torch.int16) if host.dtype == torch.bfloat16 else host
        return bits.numpy(), mark

    def from_host(self, array: npt.NDArray[Any], mark: str) -> Any:
        """A tensor of the marked dtype and layout.

        Fused steps read an optimizer's state in the order of memory, on the CPU without a check: a
        kernel's momentum has to lie as the kernel does.
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
        return tensor if place == "host" else tensor.to(self.device)

    def random_state(self, problem: TorchProblem) -> Mapping[str, Any]:
        """Torch's generators of host and device, the problem's, numpy's and python's."""
        on_device = self.device.type == "cuda"
        return {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if on_device else None,
            "problem": problem.generator.get_state(),
            **global_state(),
        }

    def set_random_state(self, problem: TorchProblem, state: Mapping[str, Any]) -> None:
        """Put them back."""
        torch.set_rng_state(state["torch"])
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"], self.device)
        problem.generator.set_state(state["problem"])
        set_global_state(state)

    def evaluator(
        self,
        source: ModelSource,
        splits: Mapping[str, Examples],
        probe: Examples,
        eval_config: EvalConfig,
    ) -> TorchEvaluator:
        """An evaluator with its own model and its own copy of the splits on the device."""
        return TorchEvaluator(source, splits, probe, eval_config, self.device)


def _layout(tensor: Tensor) -> str:
    """The axes of a tensor from the outermost in memory to the innermost, joined by commas."""
    if tensor.layout != torch.strided or tensor.is_contiguous():
        return AS_IT_READS
    order = sorted(range(tensor.ndim), key=lambda axis: -tensor.stride()[axis])
    return ",".join(map(str, order))
