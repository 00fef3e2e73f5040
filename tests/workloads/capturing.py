"""The proof that captures are the factors of the weights' gradients, through the problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from harness.frameworks.examples import ModelSource
from harness.frameworks.load import training_backend
from harness.frameworks.problem import ProblemConfig
from harness.submission.interface import Batch, Capture
from tests.frameworks.kit import HalfSpent
from tests.workloads.parity import Arrays, Twin, apart

Array = torch.Tensor | np.ndarray


def problem_of(framework: str, twin: Twin) -> Any:
    """The submission's view of a twin's model, at its start."""
    source = ModelSource(f"workloads.{twin.workload}", twin.sizes, "cross_entropy", "float32")
    backend = training_backend(framework, "cpu", 1)
    problem = backend.problem(ProblemConfig(source, HalfSpent(), 2, 2, 0))
    backend.load(problem, {**twin.start, **twin.statistics})
    return problem


def tokens_of(framework: str, batch: tuple[np.ndarray, np.ndarray]) -> Batch[Array]:
    """A batch of tokens as the framework's stream gives it."""
    inputs, targets = (part.astype(np.int32) for part in batch)
    if framework == "torch":
        return Batch(torch.from_numpy(inputs), torch.from_numpy(targets).long())
    return Batch(inputs, targets)


def capture_pass(
    framework: str, problem: Any, batch: Batch[Array]
) -> tuple[Mapping[str, Capture[Array]], Arrays]:
    """Captures by layer and gradients by parameter of one pass."""
    if framework == "jax":
        _, gradients, captures = problem.capture(problem.parameters, batch)
        return captures, gradients
    with problem.capture() as captures:
        problem.batch_loss(batch).backward()
    return captures, {name: value.grad.numpy() for name, value in problem.parameters.items()}


def assert_captures_are_factors(
    framework: str, twin: Twin, batch: tuple[np.ndarray, np.ndarray], bound: float = 1e-5
) -> None:
    """Every layer's weight gradient is the sum over examples and time of g a^T."""
    problem = problem_of(framework, twin)
    captures, gradients = capture_pass(framework, problem, tokens_of(framework, batch))
    assert set(captures) == {layer.name for layer in problem.layers}
    for layer in problem.layers:
        inputs, output_gradients = (np.asarray(part) for part in captures[layer.name])
        assert inputs.shape[:2] == output_gradients.shape[:2] == batch[0].shape
        product = np.einsum("bto,bti->oi", output_gradients, inputs)
        assert apart(product, gradients[layer.weight]) < bound, layer.name
        if layer.bias is not None:
            assert apart(output_gradients.sum((0, 1)), gradients[layer.bias]) < bound, layer.name
