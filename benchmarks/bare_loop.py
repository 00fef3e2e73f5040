"""The hand-written training loop that `overhead.py` compares the harness with.

Examples are resident in memory, each epoch's permutation is sliced, the optimizer is torch's fused
AdamW, and the learning rate falls by a cosine. `overhead.py` starts it in a process of its own: the
first line of its input is a `Training` as JSON, and every further line is a number of steps to
make. It answers each line with one of its own: first `ready`, then seconds.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from harness.frameworks.torch.loss import loss_of
from harness.frameworks.torch.problem import mean_loss
from workloads.spec import Sizes

WARM_UP_STEPS = 3


@dataclass(frozen=True)
class Training:
    """The settings of the loop, with the values of the harness's trial."""

    package: str
    folder: str
    sizes: Sizes
    batch_size: int
    horizon_steps: int
    warmup_fraction: float
    learning_rate: float
    weight_decay: float
    betas: tuple[float, float]
    eps: float
    threads: int
    device: str = "cpu"
    precision: str = "float32"
    is_compiled: bool = False


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
    """The learning rate of a step: a linear warm-up, then a cosine to zero at the horizon."""
    fraction = min(1.0, step / training.horizon_steps)
    if fraction < training.warmup_fraction:
        return training.learning_rate * fraction / training.warmup_fraction
    fall = (fraction - training.warmup_fraction) / (1.0 - training.warmup_fraction)
    return training.learning_rate * 0.5 * (1.0 + math.cos(math.pi * fall))


class Loop:
    """The training loop, run a few steps at a time."""

    def __init__(self, training: Training) -> None:
        self._training = training
        device = torch.device(training.device)
        split = resident(Path(training.folder))
        self._inputs, self._targets = (part.to(device) for part in split)
        self._model = model_of(training).to(device)
        self._loss = mean_loss(self._model, loss_of("cross_entropy"), training.precision, device)
        if training.is_compiled:
            self._loss = torch.compile(self._loss)
        self._optimizer = torch.optim.AdamW(
            self._model.parameters(),
            lr=training.learning_rate,
            betas=training.betas,
            eps=training.eps,
            weight_decay=training.weight_decay,
            fused=True,
        )
        self._step, self._offset = 0, len(self._targets)

    def run(self, steps: int) -> float:
        """Make this many steps; returns their seconds."""
        size, optimizer = self._training.batch_size, self._optimizer
        start_s = time.monotonic()
        for _ in range(steps):
            if self._offset + size > len(self._targets):
                permutation = torch.randperm(len(self._targets))
                self._permutation, self._offset = permutation.to(self._inputs.device), 0
            batch = self._permutation[self._offset : self._offset + size]
            self._offset += size
            optimizer.param_groups[0]["lr"] = rate(self._training, self._step)
            targets = self._targets.index_select(0, batch)
            loss = self._loss(self._inputs.index_select(0, batch), targets)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            self._step += 1
        if self._inputs.is_cuda:
            torch.cuda.synchronize(self._inputs.device)
        return time.monotonic() - start_s


def main() -> None:
    """Read the settings, then make steps on request."""
    training = Training(**json.loads(sys.stdin.readline()))
    torch.set_num_threads(training.threads)
    torch.manual_seed(0)
    loop = Loop(training)
    loop.run(WARM_UP_STEPS)
    print("ready", flush=True)
    for line in sys.stdin:
        print(loop.run(int(line)), flush=True)


if __name__ == "__main__":
    main()
