"""Jax's backend for the referee."""

from __future__ import annotations

from collections.abc import Mapping

from harness.frameworks.examples import EvalConfig, Examples, ModelSource
from harness.frameworks.jax.device import JaxDevice
from harness.frameworks.jax.evaluator import JaxEvaluator


class JaxEvaluationBackend(JaxDevice):
    """Implements `harness.frameworks.base.EvaluationBackend` in jax."""

    def evaluator(
        self,
        source: ModelSource,
        splits: Mapping[str, Examples],
        probe: Examples,
        eval_config: EvalConfig,
    ) -> JaxEvaluator:
        """An evaluator with its own model and its own copy of the splits on the device.

        It evaluates once, so that on a GPU its memory is reserved before a worker can take it.
        """
        evaluator = JaxEvaluator(source, splits, probe, eval_config, self.device)
        if self.kind != "cpu":
            evaluator.rehearse()
        return evaluator
