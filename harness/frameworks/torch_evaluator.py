"""The referee's judgement of parameters, in torch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor

from harness.errors import UnknownNameError
from harness.frameworks.adapter import Examples, ModelSource, Parameters
from harness.frameworks.model_source import check_shapes, specs_of
from harness.frameworks.torch_loss import loss_of
from harness.frameworks.torch_problem import autocast, build_model
from harness.frameworks.torch_stream import resident

EVALUATION_BATCH = 4096


class TorchEvaluator:
    """Metrics and probes of parameters on data that no worker sees or can change."""

    def __init__(
        self,
        source: ModelSource,
        splits: Mapping[str, Examples],
        probe: Examples,
        device: torch.device,
    ) -> None:
        self._model = build_model(source, device).eval()
        self._specs = specs_of(source)
        self._loss = loss_of(source.loss)
        self._precision = autocast(source.precision, device) or nullcontext()
        self._splits = {name: resident(split, device) for name, split in splits.items()}
        self._probe = resident(probe, device)

    def metrics(self, parameters: Parameters, split: str) -> dict[str, float]:
        """`loss` (mean, nats) and `accuracy` (share) on a whole split, summed in float64."""
        if split not in self._splits:
            raise UnknownNameError("split", split, self._splits)
        self._load(parameters)
        inputs, targets = self._splits[split]
        sums = torch.zeros(2, dtype=torch.float64, device=inputs.device)
        with torch.no_grad():
            for start in range(0, len(inputs), EVALUATION_BATCH):
                part = slice(start, start + EVALUATION_BATCH)
                sums += self._sums(inputs[part], targets[part])
        loss, accuracy = (sums / targets.numel()).tolist()
        return {"loss": loss, "accuracy": accuracy}

    def probe(self, parameters: Parameters) -> dict[str, float]:
        """`loss` and `gradient_norm` on the fixed batch of training examples."""
        self._load(parameters)
        inputs, targets = self._probe
        loss = self._loss.value(self._logits(inputs), targets)
        gradients = torch.autograd.grad(loss, list(self._model.parameters()))
        squares = sum(gradient.double().square().sum().item() for gradient in gradients)
        return {"loss": loss.item(), "gradient_norm": squares**0.5}

    def _load(self, parameters: Parameters) -> None:
        shapes = {name: value.shape for name, value in parameters.items()}
        check_shapes(self._specs, shapes, "parameters to be judged")
        with torch.no_grad():
            for name, live in self._model.named_parameters():
                live.copy_(torch.tensor(parameters[name]))

    def _logits(self, inputs: Tensor) -> Tensor:
        with self._precision:
            logits: Tensor = self._model(inputs)
        return logits.float()

    def _sums(self, inputs: Tensor, targets: Tensor) -> Tensor:
        logits = self._logits(inputs)
        losses = self._loss.per_target(logits, targets)
        hits = logits.argmax(-1) == targets
        return torch.stack([losses.double().sum(), hits.double().sum()])
