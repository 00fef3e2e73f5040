"""The workloads' models at a small size, on random examples: what a submission's state is like."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np

from harness.core.seeds import philox
from harness.frameworks.examples import Examples, ModelSource
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from harness.providers.registry import workload
from tests.frameworks.kit import SEED, HalfSpent, Kit
from workloads.parameters import initial_buffers, initial_parameters

from .given_problem import Point

COUNT, TIME, CLASSES = 512, 6, 5
SIZES: Point = {
    "mlp": workload("mlp").at("quick").sizes,
    "resnet": {"width": 8, "blocks": [1], "classes": CLASSES},
    "rnn": {"classes": CLASSES, "embedding": 6, "hidden": 4},
}


def examples(name: str) -> Examples:
    random = np.random.default_rng(0)
    if name == "rnn":
        tokens = random.integers(0, CLASSES, (COUNT, TIME + 1))
        return Examples(tokens[:, :-1], tokens[:, 1:])
    labels = random.integers(0, CLASSES, COUNT)
    if name == "resnet":
        return Examples(random.integers(0, 256, (COUNT, 3, 8, 8), dtype=np.uint8), labels)
    return Examples(random.standard_normal((COUNT, 256)).astype(np.float32), labels)


@dataclass(frozen=True)
class WorkloadKit(Kit):
    """A kit whose problem is a workload's."""

    name: str = "mlp"

    @cached_property
    def problem(self) -> Any:
        package, sizes = f"workloads.{self.name}", SIZES[self.name]
        model = import_module(f"{package}.model")
        source = ModelSource(package, sizes, "cross_entropy", "float32")
        problem = self.backend.problem(ProblemConfig(source, HalfSpent(), 16, COUNT, 2**40 + 5))
        start = initial_parameters(model.parameters(sizes), philox(SEED, "weights"))
        self.backend.load(problem, start | initial_buffers(model.buffers(sizes)))
        return problem

    def stream(self, batch_size: int = 16) -> Any:
        return self.backend.stream(examples(self.name), Order(SEED, COUNT), batch_size)
