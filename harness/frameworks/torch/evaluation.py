"""Torch's backend for the referee."""

from __future__ import annotations

from collections.abc import Mapping

from harness.frameworks.examples import EvalConfig, Examples, ModelSource
from harness.frameworks.torch.device import TorchDevice
from harness.frameworks.torch.evaluator import TorchEvaluator


class TorchEvaluationBackend(TorchDevice):
    """Implements `harness.frameworks.base.EvaluationBackend` in torch."""

    def evaluator(
        self,
        source: ModelSource,
        splits: Mapping[str, Examples],
        probe: Examples,
        eval_config: EvalConfig,
    ) -> TorchEvaluator:
        """An evaluator with its own model and its own copy of the splits on the device.

        It evaluates once, so that on a GPU its memory is reserved before a worker can take it.
        """
        evaluator = TorchEvaluator(source, splits, probe, eval_config, self.device)
        if self.device.type == "cuda":
            evaluator.rehearse()
        return evaluator
