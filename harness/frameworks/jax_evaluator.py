"""The referee's judgement of parameters, in jax."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from harness.errors import UnknownNameError
from harness.frameworks.adapter import Examples, ModelSource, Parameters
from harness.frameworks.jax_problem import JaxProblem
from harness.frameworks.jax_stream import resident
from harness.frameworks.model_source import check_shapes
from harness.interface import Batch

EVALUATION_BATCH = 4096


class NoBudget:
    """A budget of which nothing is ever spent: the referee's own evaluations have no clock."""

    share = 0.0

    def progress(self, horizon: float) -> float:
        """Always 0."""
        return 0.0 * horizon


class JaxEvaluator:
    """Metrics and probes of parameters on data that no worker sees or can change."""

    def __init__(
        self,
        source: ModelSource,
        splits: Mapping[str, Examples],
        probe: Examples,
        device: jax.Device,
    ) -> None:
        self._problem = JaxProblem(source, NoBudget(), 1, 1, 0, device=device)
        self._splits = {name: resident(split, device) for name, split in splits.items()}
        self._probe = Batch(*resident(probe, device))
        self._device = device
        self._judge = jax.jit(self._losses_and_hits)

    def metrics(self, parameters: Parameters, split: str) -> dict[str, float]:
        """`loss` (mean, nats) and `accuracy` (share) on a whole split, summed in float64."""
        if split not in self._splits:
            raise UnknownNameError("split", split, self._splits)
        judged = self._placed(parameters)
        inputs, targets = self._splits[split]
        loss = hits = 0.0
        for start in range(0, len(inputs), EVALUATION_BATCH):
            part = slice(start, start + EVALUATION_BATCH)
            losses, hit = self._judge(judged, inputs[part], targets[part])
            loss += float(np.asarray(losses, dtype=np.float64).sum())
            hits += int(hit)
        return {"loss": loss / targets.size, "accuracy": hits / targets.size}

    def probe(self, parameters: Parameters) -> dict[str, float]:
        """`loss` and `gradient_norm` on the fixed batch of training examples."""
        loss, gradients = self._problem.value_and_grad(self._placed(parameters), self._probe)
        squares = [np.square(np.asarray(g, dtype=np.float64)).sum() for g in gradients.values()]
        return {"loss": float(loss), "gradient_norm": float(np.sqrt(sum(squares)))}

    def _placed(self, parameters: Parameters) -> dict[str, Array]:
        shapes = {name: value.shape for name, value in parameters.items()}
        check_shapes(self._problem.specs, shapes, "parameters to be judged")
        return {
            name: jax.device_put(jnp.array(parameters[name]), self._device)
            for name in self._problem.specs
        }

    def _losses_and_hits(
        self, parameters: dict[str, Array], inputs: Array, targets: Array
    ) -> tuple[Array, Array]:
        logits = self._problem.evaluate(parameters, Batch(inputs, targets)).logits
        losses = self._problem.loss.per_target(logits, targets)
        return losses, (logits.argmax(-1) == targets).sum()
