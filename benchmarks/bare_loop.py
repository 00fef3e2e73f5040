"""The training that `overhead.py` compares with: a loop as one writes it by hand, timed.

Examples are resident, each epoch's permutation is sliced, the optimizer is torch's fused AdamW and
the learning rate falls by a cosine. It runs in its own process: `overhead.py` starts it.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.spec import Sizes


@dataclass(frozen=True)
class Training:
    """What the loop is given: the same values as the harness's trial has."""

    package: str
    folder: str
    sizes: Sizes
    batch_size: int
    steps: int
    horizon_steps: int
    warmup_share: float
    learning_rate: float
    weight_decay: float
    betas: tuple[float, float]
    eps: float
    threads: int


def resident(folder: Path) -> tuple[Tensor, Tensor]:
    """Inputs (examples, ...) and targets (examples, ...) of one split, in memory."""
    inputs = torch.from_numpy(np.load(folder / "inputs.npy"))
    inputs = inputs.int() if inputs.dtype == torch.uint16 else inputs
    return inputs, torch.from_numpy(np.load(folder / "targets.npy")).long()


def model_of(training: Training) -> nn.Module:
    """The workload's own model, in training mode."""
    module = importlib.import_module(f"{training.package}.model_torch")
    model: nn.Module = module.build(training.sizes)
    return model.train()


def rate(training: Training, step: int) -> float:
    """The learning rate of a step: a linear rise, then a cosine to zero at the horizon."""
    share = min(1.0, step / training.horizon_steps)
    if share < training.warmup_share:
        return training.learning_rate * share / training.warmup_share
    fall = (share - training.warmup_share) / (1.0 - training.warmup_share)
    return training.learning_rate * 0.5 * (1.0 + math.cos(math.pi * fall))


def train(training: Training, model: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    """Train for the given number of steps; returns the seconds of the loop."""
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=training.learning_rate,
        betas=training.betas,
        eps=training.eps,
        weight_decay=training.weight_decay,
        fused=True,
    )
    size = training.batch_size
    offset = len(targets)
    start_s = time.monotonic()
    for step in range(training.steps):
        if offset + size > len(targets):
            permutation, offset = torch.randperm(len(targets)), 0
        batch = permutation[offset : offset + size]
        offset += size
        optimizer.param_groups[0]["lr"] = rate(training, step)
        logits = model(inputs.index_select(0, batch))
        wanted = targets.index_select(0, batch)
        loss = functional.cross_entropy(logits.flatten(0, -2), wanted.flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return time.monotonic() - start_s


def main() -> None:
    """Read a training as JSON from standard input, run it, print its seconds as JSON."""
    training = Training(**json.load(sys.stdin))
    torch.set_num_threads(training.threads)
    torch.manual_seed(0)
    inputs, targets = resident(Path(training.folder))
    warm_up = Training(**{**asdict(training), "steps": 3})
    train(warm_up, model_of(training), inputs, targets)
    seconds = train(training, model_of(training), inputs, targets)
    print(json.dumps({"steps": training.steps, "timed_s": seconds}))


if __name__ == "__main__":
    main()
