"""x <- x - learning_rate * gradient."""

from __future__ import annotations

import torch

from harness.submission.interface import Hyperparameters, Problem


def build(problem: Problem[torch.Tensor], hyperparameters: Hyperparameters) -> torch.optim.SGD:
    """Plain gradient descent on all parameters."""
    return torch.optim.SGD(list(problem.parameters.values()), lr=hyperparameters["learning_rate"])
