"""A probe trained by a simple method: its own data, order, model, start, target and budget.

No referee: fifty trials are to take seconds. `tests/experiments/test_probes.py` has real ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from harness.core.seeds import instance_seed, philox, worker_seed
from harness.frameworks.order import Order
from harness.frameworks.torch.loss import loss_of
from harness.providers import registry
from tests.probes.methods import Method
from workloads.parameters import initial_parameters
from workloads.spec import SuiteWorkload

Verdict = Literal["pass", "fail", "diverged"]
Split = tuple[np.ndarray, np.ndarray]
Schedule = Callable[[float], float]
LOOKS = 10


class Splits(NamedTuple):
    """Inputs and targets, the training ones in the order in which they are drawn."""

    train: Split
    validation: Split


def cosine(fraction: float) -> float:
    """From 1 to 0.01 at three quarters of the budget, as most submissions have it."""
    return 0.01 + 0.495 * (1.0 + math.cos(math.pi * min(1.0, fraction / 0.75)))


def constant(fraction: float) -> float:
    return 1.0


def harmonic(fraction: float) -> float:
    """Falls as one over the steps, here as 1 / (1 + t / 10) in 600 of them."""
    return 1.0 / (1.0 + 60.0 * fraction)


def seed_of(probe: str) -> str:
    return instance_seed("tests", "probes", probe, 1, 1)


@cache
def splits_of(probe: str) -> Splits:
    """The data of one instance."""
    workload, seed = registry.workload(probe), seed_of(probe)
    with TemporaryDirectory() as folder:
        workload.module("data").prepare(workload.at("probes").data, seed, Path(folder), None)
        train, validation = (_read(Path(folder) / name) for name in ("train", "validation"))
    order = Order(worker_seed(seed), len(train[0])).epoch(0)
    return Splits((train[0][order], train[1][order]), validation)


def verdict(probe: str, method: Method, schedule: Schedule = cosine) -> Verdict:
    """Train a probe in its budget."""
    size = registry.workload(probe).at("probes")
    splits, model = splits_of(probe), model_of(probe, size)
    optimizer = method(model)
    loss = loss_of(registry.workload(probe).spec.loss)
    (inputs, targets), steps = map(torch.from_numpy, splits.train), size.budget.steps or 0
    rates = [group["lr"] for group in optimizer.param_groups]
    for step in range(steps):
        batch = slice(step * size.batch_size, (step + 1) * size.batch_size)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * schedule(step / steps)
        optimizer.zero_grad()
        torch.autograd.backward(loss.value(model(inputs[batch]), targets[batch]))
        optimizer.step()
        if (step + 1) % (steps // LOOKS) == 0:
            value = held_out(model, probe, size)
            if not math.isfinite(value):
                return "diverged"
            if size.target.is_met_by(value):
                return "pass"
    return "fail"


def held_out(model: nn.Module, probe: str, size: SuiteWorkload) -> float:
    """The target's metric on the validation split."""
    inputs, targets = map(torch.from_numpy, splits_of(probe).validation)
    model.eval()
    with torch.no_grad():
        logits: Tensor = model(inputs)
    model.train()
    metrics = loss_of(registry.workload(probe).spec.loss).metrics(logits, targets)
    return metrics[size.target.metric].double().mean().item()


def model_of(probe: str, size: SuiteWorkload) -> nn.Module:
    """The model at the instance's start."""
    workload = registry.workload(probe)
    model: nn.Module = workload.module("model_torch").build(size.sizes)
    specs = workload.module("model").parameters(size.sizes)
    start = initial_parameters(specs, philox(seed_of(probe), "weights"))
    with torch.no_grad():
        for name, live in model.named_parameters():
            live.copy_(torch.tensor(start[name]))
    return model


def _read(folder: Path) -> Split:
    return np.load(folder / "inputs.npy"), np.load(folder / "targets.npy")
