"""The backends that the table of frameworks refers to."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.frameworks.base import SECOND_ORDER, Backends, Parallel
from harness.frameworks.torch.evaluation import TorchEvaluationBackend
from harness.frameworks.torch.training import TorchTrainingBackend


def cuda_of_wheel() -> str | None:
    """The CUDA version that torch is built for."""
    return torch.version.cuda


BACKENDS: Backends[Tensor] = Backends(
    TorchEvaluationBackend,
    TorchTrainingBackend,
    preloads=("torch._dynamo",),
    cuda=cuda_of_wheel,
    parallel=Parallel(TorchTrainingBackend, has_processes=True, draws_whole_masks=False),
    diagnostics=SECOND_ORDER,
)
