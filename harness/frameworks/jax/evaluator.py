"""The referee's evaluation of parameters, in jax."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from harness.core.errors import HarnessError, UnknownNameError
from harness.frameworks.crops import centre
from harness.frameworks.examples import EvalConfig, Examples, ModelSource, Parameters
from harness.frameworks.jax.cross_entropy import by_parts
from harness.frameworks.jax.problem import JaxProblem
from harness.frameworks.jax.stream import JaxSplit
from harness.frameworks.metrics import ExampleMetrics, concatenate, means
from harness.frameworks.model_source import check_shapes, shapes_of
from harness.frameworks.problem import NoBudget, ProblemConfig
from harness.frameworks.targets import check_targets
from harness.submission.interface import Batch
from workloads.losses import LOSSES

Tree = Mapping[str, Array]


class JaxEvaluator:
    """Evaluates parameters on data that no worker can read or change."""

    def __init__(
        self,
        source: ModelSource,
        splits: Mapping[str, Examples],
        probe: Examples,
        eval_config: EvalConfig,
        device: jax.Device,
    ) -> None:
        check_targets(source.loss, {**splits, "train": probe})
        self._metrics = LOSSES[source.loss].metrics
        self._problem = JaxProblem(ProblemConfig(source, NoBudget(), 1, 1, 0), device)
        self._shapes = shapes_of(source)
        self._eval_config = eval_config
        self._splits = {name: JaxSplit(split, device) for name, split in splits.items()}
        self._counts = {name: len(split.targets) for name, split in splits.items()}
        self._probe = JaxSplit(probe, device).part(0, len(probe.targets))
        self._device = device
        self._value_and_grad = jax.jit(jax.value_and_grad(self._loss))
        self._evaluate = jax.jit(self._values)

    def rehearse(self) -> None:
        """Evaluate all-zero parameters, so that memory is reserved and programs are compiled."""
        parameters = {name: np.zeros(shape, np.float32) for name, shape in self._shapes.items()}
        for split in self._splits:
            self.metrics(parameters, split)
        self.probe(parameters)

    def batches(
        self, parameters: Parameters, split: str, start: int = 0
    ) -> Iterator[ExampleMetrics]:
        """The loss's metrics of each example, in float64, evaluated lazily batch by batch."""
        if split not in self._splits:
            raise UnknownNameError("split", split, self._splits)
        arrays, size = self._place(parameters), self._eval_config.batch
        for place in range(start, self._counts[split], size):
            batch = self._splits[split].part(place, place + size)
            values, shape = self._evaluate(*arrays, batch), (len(batch.targets), -1)
            yield {
                name: np.asarray(values[name], dtype=np.float64).reshape(shape).mean(1)
                for name in self._metrics
            }

    def metrics(self, parameters: Parameters, split: str) -> dict[str, float]:
        """The mean of each metric over a whole split."""
        return means(concatenate(list(self.batches(parameters, split))))

    def probe(self, parameters: Parameters) -> dict[str, float]:
        """On the fixed batch of training examples: `loss`, `gradient_norm`, `gradient_norm_l1`."""
        weights, buffers = self._place(parameters)
        whole, size = self._probe, self._eval_config.batch
        total = 0.0
        sums = {name: np.zeros(value.shape) for name, value in weights.items()}
        for start in range(0, len(whole.targets), size):
            part = Batch(whole.inputs[start : start + size], whole.targets[start : start + size])
            fraction = len(part.targets) / len(whole.targets)
            loss, gradients = self._value_and_grad(weights, buffers, part)
            total += fraction * float(loss)
            for name, gradient in gradients.items():
                sums[name] += fraction * np.asarray(gradient, dtype=np.float64)
        squares = sum(float(np.square(gradient).sum()) for gradient in sums.values())
        entries = sum(float(np.abs(gradient).sum()) for gradient in sums.values())
        return {"loss": total, "gradient_norm": math.sqrt(squares), "gradient_norm_l1": entries}

    def curvature(self, _: Parameters) -> dict[str, float]:
        """Not computed in jax.

        Raises:
            HarnessError: always.
        """
        raise HarnessError(
            "curvature matrices are not computed in jax", "leave 'curvature' out of the diagnostics"
        )

    def sharpness(self, _: Parameters) -> dict[str, float]:
        """Not computed in jax.

        Raises:
            HarnessError: always.
        """
        raise HarnessError(
            "the sharpness is not computed in jax", "leave 'sharpness' out of the diagnostics"
        )

    def _place(self, parameters: Parameters) -> tuple[dict[str, Array], dict[str, Array]]:
        shapes = {name: value.shape for name, value in parameters.items()}
        check_shapes(self._shapes, shapes, "parameters to be evaluated")
        arrays = {
            name: jax.device_put(jnp.array(parameters[name]), self._device) for name in self._shapes
        }
        weights = {name: arrays.pop(name) for name in self._problem.specs}
        return weights, arrays

    def _logits(self, weights: Tree, buffers: Tree, inputs: Array) -> Array:
        if self._eval_config.augmentation is not None:
            window = centre(inputs.shape[-1], self._eval_config.augmentation)
            inputs = inputs[..., window, window]
        return self._problem.evaluation_logits(weights, buffers, inputs)

    def _values(self, weights: Tree, buffers: Tree, batch: Batch[Array]) -> dict[str, Array]:
        logits, loss = self._logits(weights, buffers, batch.inputs), self._problem.loss
        if logits.dtype == jnp.float32 or logits.ndim == batch.targets.ndim:
            return loss.metrics(logits.astype(jnp.float32), batch.targets)
        return by_parts(
            lambda part, targets: loss.metrics(part.astype(jnp.float32), targets),
            logits,
            batch.targets,
        )

    def _loss(self, weights: Tree, buffers: Tree, batch: Batch[Array]) -> Array:
        logits = self._logits(weights, buffers, batch.inputs)
        return self._problem.loss.value(logits, batch.targets)
