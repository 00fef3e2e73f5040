"""What the load table names."""

from __future__ import annotations

from torch import Tensor

from harness.frameworks.base import Backends
from harness.frameworks.torch.evaluation import TorchEvaluationBackend
from harness.frameworks.torch.training import TorchTrainingBackend

BACKENDS: Backends[Tensor] = Backends(
    TorchEvaluationBackend, TorchTrainingBackend, preloads=("torch._dynamo",)
)
