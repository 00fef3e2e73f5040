"""Torch's backend for the worker."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import SupportsFloat, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.frameworks.base import ALONE, Place
from harness.frameworks.examples import Examples, Parameters
from harness.frameworks.generators import global_state, set_global_state
from harness.frameworks.model_source import check_shapes
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from harness.frameworks.torch import arrays, memory
from harness.frameworks.torch.algoperf import load_algoperf
from harness.frameworks.torch.device import TorchDevice
from harness.frameworks.torch.loading import LOADER
from harness.frameworks.torch.problem import TorchProblem, torch_problem
from harness.frameworks.torch.ranks import TorchRanks
from harness.frameworks.torch.stream import TorchStream
from harness.submission.algoperf.location import is_algoperf
from harness.submission.interface import Hyperparameters, Problem, Submission
from harness.submission.state import HostArray, StateDict
from workloads.spec import Augmentation


class TorchTrainingBackend(TorchDevice):
    """Implements `harness.frameworks.base.TrainingBackend` in torch."""

    _is_bounded = False

    def __init__(self, device: str, threads: int, place: Place = ALONE) -> None:
        super().__init__(device, threads)
        self._place = place
        self._group = None if place.world_size == 1 else TorchRanks(place)

    def pin(self) -> None:
        """Set threads, determinism and precision; on a GPU, the first call also bounds memory."""
        super().pin()
        if self.device.type == "cuda" and not self._is_bounded:
            memory.limit_memory(self.device)
            self._is_bounded = True

    def synchronize(self) -> None:
        """Wait for the device and the other ranks: a step ends when every rank has finished it."""
        super().synchronize()
        if self._group is not None:
            self._group.barrier()

    def pace(self, earlier: SupportsFloat | None) -> None:
        """Does nothing: the CPU queues no work, and CUDA at most a thousand kernels, about one
        step.
        """

    def passes(self, problem: Problem[Tensor]) -> Sequence[tuple[object, str]]:
        """The functions behind the problem's forward passes and all of torch's backward passes."""
        autograd: object = torch.autograd
        forward = ((problem, name) for name in ("_logits", "_value", "_mean_loss"))
        return (*forward, (autograd, "backward"), (autograd, "grad"))

    def problem(self, config: ProblemConfig) -> TorchProblem:
        """The submission's view of the workload; its parameters are still zero."""
        problem = TorchProblem(config, self.device, self._group)
        with torch.no_grad():
            for parameter in problem.parameters.values():
                parameter.zero_()
        return problem

    def load(self, problem: Problem[Tensor], parameters: Parameters) -> None:
        """Copy the values in place, reset gradients and counts, and seed every generator."""
        problem = torch_problem(problem)
        live = {**problem.parameters, **problem.buffers}
        shapes = {name: value.shape for name, value in parameters.items()}
        model_shapes = {name: tuple(value.shape) for name, value in live.items()}
        check_shapes(model_shapes, shapes, "parameters to be loaded")
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

    @contextmanager
    def without_gradients(self, problem: Problem[Tensor], names: Collection[str]) -> Iterator[None]:
        """In this context, backward passes leave some parameters without a `grad`."""
        dropped_parameters = [problem.parameters[name] for name in names]
        hooks = [
            one.register_post_accumulate_grad_hook(_drop_gradient) for one in dropped_parameters
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def stream(
        self,
        examples: Examples,
        order: Order,
        batch_size: int,
        augmentation: Augmentation | None = None,
    ) -> TorchStream:
        """The training stream over the examples, from position 0."""
        device, place = self.device, self._place
        return TorchStream(examples, order, batch_size, device, augmentation, place=place)

    def submission(self, location: str, hyperparameters: Hyperparameters) -> Submission[Tensor]:
        """Import a submission of any supported kind; `setup` has not been called yet."""
        if is_algoperf(location):
            return load_algoperf(location, self.device)
        return LOADER.load(location, hyperparameters)

    def export(self, parameters: Mapping[str, Tensor]) -> dict[str, npt.NDArray[np.float32]]:
        """Copies as float32 arrays, fetched from the device in one transfer."""
        return arrays.export(parameters)

    def export_into(
        self,
        parameters: Mapping[str, Tensor],
        shapes: Mapping[str, tuple[int, ...]],
        slot: npt.NDArray[np.float32],
    ) -> None:
        """Write the parameters one after another: copied directly on CPU, in one transfer from a
        GPU.
        """
        arrays.export_into(parameters, shapes, slot)

    def to_host(self, value: object) -> tuple[HostArray, str] | None:
        """A tensor or numpy array as a numpy array, and a type mark."""
        return arrays.to_host(value)

    def from_host(self, array: HostArray, mark: str) -> Tensor | HostArray | np.generic:
        """A tensor with the mark's dtype and memory layout."""
        return arrays.from_host(array, mark, self.device)

    def random_state(self, problem: Problem[Tensor]) -> StateDict[Tensor]:
        """The states of torch's generators (host and device), the problem's, numpy's, Python's."""
        on_device = self.device.type == "cuda"
        return {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if on_device else None,
            "problem": torch_problem(problem).generator.get_state(),
            **global_state(),
        }

    def set_random_state(self, problem: Problem[Tensor], state: StateDict[Tensor]) -> None:
        """Restore these states."""
        states = cast("Mapping[str, Tensor]", state)  # but for those of `set_global_state`
        torch.set_rng_state(states["torch"])
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(states["cuda"], self.device)
        torch_problem(problem).generator.set_state(states["problem"])
        set_global_state(state)


def _drop_gradient(parameter: Tensor) -> None:
    parameter.grad = None
