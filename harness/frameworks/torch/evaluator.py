"""The referee's evaluation of parameters, in torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext

import torch
from torch import Tensor

from harness.core.errors import UnknownNameError
from harness.frameworks.crops import centre
from harness.frameworks.examples import EvalConfig, Examples, ModelSource, Parameters
from harness.frameworks.lanczos import Vector, largest_eigenvalue
from harness.frameworks.metrics import ExampleMetrics, concatenate, means
from harness.frameworks.model_source import check_shapes, shapes_of
from harness.frameworks.targets import check_targets
from harness.frameworks.torch.cross_entropy import parts
from harness.frameworks.torch.curvature import curvature_of
from harness.frameworks.torch.loss import loss_of
from harness.frameworks.torch.problem import autocast, build_model
from harness.frameworks.torch.stream import TorchSplit
from harness.submission.interface import Batch
from workloads.fused_torch import twice_differentiable
from workloads.losses import LOSSES


class TorchEvaluator:
    """Evaluates parameters on data that no worker can read or change."""

    def __init__(
        self,
        source: ModelSource,
        splits: Mapping[str, Examples],
        probe: Examples,
        eval_config: EvalConfig,
        device: torch.device,
    ) -> None:
        check_targets(source.loss, {**splits, "train": probe})
        self._source = source
        self._model = build_model(source, device).eval()
        self._shapes = shapes_of(source)
        self._loss = loss_of(source.loss)
        self._metrics = LOSSES[source.loss].metrics
        self._precision = autocast(source.precision, device) or nullcontext()
        self._eval_config = eval_config
        self._splits = {name: TorchSplit(split, device) for name, split in splits.items()}
        self._counts = {name: len(split.targets) for name, split in splits.items()}
        self._probe = TorchSplit(probe, device).part(0, len(probe.targets))

    def rehearse(self) -> None:
        """Evaluate the initial model, so that memory is reserved and kernels are loaded."""
        parameters = {name: value.cpu().numpy() for name, value in self._live().items()}
        for split in self._splits:
            self.metrics(parameters, split)
        self.probe(parameters)

    def batches(
        self, parameters: Parameters, split: str, start: int = 0
    ) -> Iterator[ExampleMetrics]:
        """The loss's metrics of each example, in float64, evaluated lazily batch by batch."""
        if split not in self._splits:
            raise UnknownNameError("split", split, self._splits)
        self._load(parameters)
        size = self._eval_config.batch
        for place in range(start, self._counts[split], size):
            with torch.no_grad():
                values = self._by_example(self._splits[split].part(place, place + size))
            yield dict(zip(self._metrics, values.cpu().numpy(), strict=True))

    def metrics(self, parameters: Parameters, split: str) -> dict[str, float]:
        """The mean of each metric over a whole split."""
        return means(concatenate(list(self.batches(parameters, split))))

    def probe(self, parameters: Parameters) -> dict[str, float]:
        """On the fixed batch of training examples: `loss`, `gradient_norm`, `gradient_norm_l1`."""
        self._load(parameters)
        weights, size = list(self._model.parameters()), self._eval_config.batch
        total, gradient = 0.0, [torch.zeros_like(weight) for weight in weights]
        for inputs, targets in _parts(self._probe, size):
            fraction = len(targets) / len(self._probe.targets)
            loss = fraction * self._loss.value(self._logits(inputs), targets)
            torch._foreach_add_(gradient, torch.autograd.grad(loss, weights))
            total += loss.item()
        squares = sum(part.double().square().sum().item() for part in gradient)
        entries = sum(part.double().abs().sum().item() for part in gradient)
        return {"loss": total, "gradient_norm": squares**0.5, "gradient_norm_l1": entries}

    def curvature(self, parameters: Parameters) -> dict[str, float]:
        """Curvature matrices on that batch, in float64."""
        self._load(parameters)
        return curvature_of(self._model, self._source, self._probe)

    def sharpness(self, parameters: Parameters) -> dict[str, float]:
        """`sharpness`, the largest eigenvalue of the loss's Hessian on that batch, by Lanczos."""
        self._load(parameters)
        size = sum(weight.numel() for weight in self._model.parameters())
        with twice_differentiable(self._model):
            return {"sharpness": largest_eigenvalue(self._hessian_product, size)}

    def _hessian_product(self, vector: Vector) -> Vector:
        """The product H v; v and H v have shape (parameters,)."""
        weights = list(self._model.parameters())
        flat = torch.from_numpy(vector).to(weights[0])
        parts = flat.split([weight.numel() for weight in weights])
        along = [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]
        total = torch.zeros_like(flat, dtype=torch.float64)
        for inputs, targets in _parts(self._probe, self._eval_config.batch):
            fraction = len(targets) / len(self._probe.targets)
            loss = fraction * self._loss.value(self._logits(inputs), targets)
            gradients = torch.autograd.grad(loss, weights, create_graph=True)
            products = torch.autograd.grad(gradients, weights, along, materialize_grads=True)
            total += torch.cat([each.flatten() for each in products]).double()
        return total.cpu().numpy()

    def _load(self, parameters: Parameters) -> None:
        shapes = {name: value.shape for name, value in parameters.items()}
        check_shapes(self._shapes, shapes, "parameters to be evaluated")
        live = self._live()
        with torch.no_grad():
            for name in self._shapes:
                live[name].copy_(torch.tensor(parameters[name]))

    def _live(self) -> dict[str, Tensor]:
        """The parameters and buffers of the model that a snapshot holds."""
        live = {**dict(self._model.named_buffers()), **dict(self._model.named_parameters())}
        return {name: live[name].detach() for name in self._shapes}

    def _logits(self, inputs: Tensor) -> Tensor:
        if self._eval_config.augmentation is not None:
            window = centre(inputs.shape[-1], self._eval_config.augmentation)
            inputs = inputs[..., window, window]
        with self._precision:
            logits: Tensor = self._model(inputs)
        return logits

    def _by_example(self, batch: Batch[Tensor]) -> Tensor:
        """Each metric of each example, (metrics, examples); logits are cast to float32 in parts."""
        logits, targets = self._logits(batch.inputs), batch.targets
        shape = len(self._metrics), len(targets), -1
        if logits.dtype == torch.float32 or logits.ndim == targets.ndim:
            return self._per_target(logits.float(), targets).reshape(shape).mean(-1)
        logits, targets = logits.flatten(0, -2), targets.flatten()
        values = [
            self._per_target(logits[part].float(), targets[part]) for part in parts(*logits.shape)
        ]
        return torch.cat(values, 1).reshape(shape).mean(-1)

    def _per_target(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Each metric of each target, (metrics, targets)."""
        values = self._loss.metrics(logits, targets)
        return torch.stack([values[name].double().flatten() for name in self._metrics])


def _parts(batch: Batch[Tensor], size: int) -> Iterator[Batch[Tensor]]:
    for start in range(0, len(batch.targets), size):
        yield Batch(batch.inputs[start : start + size], batch.targets[start : start + size])
