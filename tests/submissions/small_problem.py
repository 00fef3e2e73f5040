"""A small perceptron to train, with a stream: what submissions of the third door are tested on."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch
from given_problem import default_point

from harness.interface import Batch
from tests.frameworks.kit import Kit


def double_problem() -> tuple[Any, Batch[Any]]:
    """The problem in float64, and one batch of it."""
    kit = Kit("torch")
    kit.problem.model.double()
    batch = kit.batch()
    return kit.problem, Batch(batch.inputs.double(), batch.targets)


def submission(name: str, kit: Kit, **changes: Any) -> Any:
    """A submission of the third door at its default point, set up."""
    module = importlib.import_module(f"submissions.{name}.submission")
    made = module.Submission()
    made.setup(kit.problem, default_point(name, **changes))
    return made


def values(kit: Kit) -> np.ndarray:
    """The live parameters as one array."""
    return np.concatenate([p.detach().numpy().ravel() for p in kit.problem.parameters.values()])


def jacobian(problem: Any, batch: Batch[Any]) -> torch.Tensor:
    """The logits' explicit Jacobian, (examples, classes, parameters), by torch.func."""

    def logits(parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        return problem.evaluate(parameters, batch).logits

    live = {name: value.detach() for name, value in problem.parameters.items()}
    parts: Any = torch.func.jacrev(logits)(live)
    return torch.cat([part.flatten(2) for part in parts.values()], dim=2)
