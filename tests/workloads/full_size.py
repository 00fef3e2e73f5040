"""One step of a `large` language model at its full size, from the true on-disk format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from harness.core.seeds import philox
from harness.frameworks.examples import Examples, ModelSource
from harness.frameworks.load import training_backend
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from harness.providers import registry
from tests.frameworks.kit import HalfSpent
from tests.workloads.declared import data_of
from tests.workloads.parity import SEED
from workloads.parameters import initial_parameters
from workloads.spec import Data

RATE = 0.1


def losses_around_a_step(workload: str, corpus: Path, folder: Path) -> tuple[float, float]:
    """The loss on one sequence before and after a step of SGD on it, in float32.

    The sequence comes through the workload's own `prepare`, with its declared settings but for the
    corpus and the number of sequences.
    """
    definition = registry.workload(workload)
    size = definition.at("large")
    changed = {"corpus": str(corpus), "train": 1, "validation": 1, "test": 0}
    data = Data(source=data_of(size).source, settings={**data_of(size).settings, **changed})
    folder.mkdir()
    definition.module("data").prepare(data, SEED, folder, None)
    source = ModelSource(definition.package, size.sizes, definition.spec.loss, "float32")
    backend = training_backend("torch", "cpu", 1)
    problem: Any = backend.problem(ProblemConfig(source, HalfSpent(), 1, 1, 0))
    specs = definition.module("model").parameters(size.sizes)
    backend.load(problem, initial_parameters(specs, philox(SEED, "weights")))
    examples = Examples.open(folder / "train", size.limits.resident_gib)
    batch = backend.stream(examples, Order(SEED, 1), 1).next()
    optimizer = torch.optim.SGD(problem.parameters.values(), lr=RATE)
    before = problem.batch_loss(batch)
    before.backward()
    optimizer.step()
    with torch.no_grad():
        return before.item(), problem.batch_loss(batch).item()
