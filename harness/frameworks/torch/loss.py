"""Losses in torch, as functions of the model's output."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from harness.core.errors import UnknownNameError
from harness.frameworks.base import EvaluationLoss
from harness.frameworks.targets import check_same_shape
from harness.frameworks.torch.cross_entropy import mean_cross_entropy

BELOW_FLOAT32 = (torch.bfloat16, torch.float16)


class TorchLoss(EvaluationLoss[Tensor], Protocol):
    """A loss with a variant of `value` that needs less memory."""

    def value_in_parts(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The same number as `value`, differentiable once only, in less memory."""
        ...


def at_least_float32(logits: Tensor) -> Tensor:
    """Logits in at least float32, so that sums over classes or examples stay accurate."""
    return logits.float() if logits.dtype in BELOW_FLOAT32 else logits


def _rows(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Flatten logits to (rows, classes) and targets to (rows,)."""
    return (logits.flatten(0, -2), targets.flatten()) if logits.ndim > 2 else (logits, targets)


class CrossEntropy:
    """Cross-entropy of integer targets (...) under logits (..., classes), a mean over all targets.

    With p = softmax(z) and N targets, value = -(1/N) sum log p[y] and its Hessian in the logits is
    block-diagonal with blocks (diag(p) - p p^T) / N, free of the targets (Martens, 2014).
    """

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss in nats, a scalar; low-precision logits are cast to float32."""
        return functional.cross_entropy(*_rows(at_least_float32(logits), targets))

    def value_in_parts(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The same, differentiable once; low-precision logits are cast to float32 part by part."""
        if logits.dtype not in BELOW_FLOAT32:
            return self.value(logits, targets)
        return mean_cross_entropy(*_rows(logits, targets))

    def per_target(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of each target in nats, shape (number of targets,)."""
        flat = logits.reshape(-1, logits.shape[-1])
        return functional.cross_entropy(flat, targets.reshape(-1), reduction="none")

    def metrics(self, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Each target's loss, and whether its class has the largest logit."""
        hits = logits.argmax(-1) == targets
        return {"loss": self.per_target(logits, targets), "accuracy": hits}

    def sample_targets(self, logits: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Targets sampled from softmax(logits), shape (...); arbitrary where logits are not finite.

        A diverged model thus shows in its loss, as in jax, not as an error of sampling. The samples
        equal those of `torch.multinomial`, whose input checks would synchronise the GPU.
        """
        probabilities = logits.detach().float().softmax(-1).nan_to_num(1.0)
        waits = torch.empty_like(probabilities).exponential_(generator=random)
        return (probabilities / waits).argmax(-1)

    def hessian_product(self, logits: Tensor, vector: Tensor) -> Tensor:
        """(diag(p) - p p^T) v / N for every target; `vector` and result are (..., classes)."""
        probabilities = logits.softmax(-1)
        terms = probabilities * vector
        products = terms - probabilities * terms.sum(-1, keepdim=True)
        return products / logits.shape[:-1].numel()


class SquaredError:
    """`squared_error` of `workloads.losses`: real targets y, predictions z, both of shape (...).

    The Hessian in the predictions is (2/N) I, free of the targets.
    """

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean squared error, a scalar."""
        check_same_shape(logits.shape, targets.shape)
        return functional.mse_loss(at_least_float32(logits), targets)

    def value_in_parts(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The same as `value`."""
        return self.value(logits, targets)

    def per_target(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The squared error of each entry, shape (number of entries,)."""
        check_same_shape(logits.shape, targets.shape)
        return (logits - targets).square().flatten()

    def metrics(self, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Each entry's squared error."""
        return {"loss": self.per_target(logits, targets)}

    def sample_targets(self, logits: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Targets drawn from N(z, 1/2) entry by entry, in the shape of the predictions."""
        noise = torch.empty_like(logits).normal_(0.0, math.sqrt(0.5), generator=random)
        return logits.detach() + noise

    def hessian_product(self, logits: Tensor, vector: Tensor) -> Tensor:
        """2 v / N; `vector` and result are shaped as the predictions."""
        return vector * (2.0 / logits.numel())


LOSSES: dict[str, type[TorchLoss]] = {
    "cross_entropy": CrossEntropy,
    "squared_error": SquaredError,
}


def loss_of(name: str) -> TorchLoss:
    """The loss with this name."""
    if name not in LOSSES:
        raise UnknownNameError("loss", name, LOSSES)
    return LOSSES[name]()
