"""Losses in torch, as functions of logits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from harness.core.errors import UnknownNameError


class CrossEntropy:
    """Cross-entropy of integer targets (...) under logits (..., classes), a mean over all targets.

    With p = softmax(z) and N targets, value = -(1/N) sum log p[y] and its Hessian in the logits is
    block-diagonal with blocks (diag(p) - p p^T) / N, free of the targets (Martens, 2014).
    """

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss in nats, a scalar."""
        if logits.ndim > 2:
            logits, targets = logits.flatten(0, -2), targets.flatten()
        return functional.cross_entropy(logits, targets)

    def per_target(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of each target in nats, shape (number of targets,)."""
        flat = logits.reshape(-1, logits.shape[-1])
        return functional.cross_entropy(flat, targets.reshape(-1), reduction="none")

    def sample_targets(self, logits: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Targets drawn from softmax(logits), shape (...); from any where logits are not finite.

        That a model has diverged shows in its loss, as in jax, and not as an error of the draw.
        """
        probabilities = logits.detach().float().softmax(-1).nan_to_num(1.0)
        flat = probabilities.reshape(-1, logits.shape[-1])
        return torch.multinomial(flat, 1, generator=random).reshape(logits.shape[:-1])

    def hessian_product(self, logits: Tensor, vector: Tensor) -> Tensor:
        """(diag(p) - p p^T) v / N for every target; `vector` and result are (..., classes)."""
        probabilities = logits.softmax(-1)
        weighted = probabilities * vector
        centred = weighted - probabilities * weighted.sum(-1, keepdim=True)
        return centred / logits.shape[:-1].numel()


LOSSES = {"cross_entropy": CrossEntropy}


def loss_of(name: str) -> CrossEntropy:
    """The loss of a name."""
    if name not in LOSSES:
        raise UnknownNameError("loss", name, LOSSES)
    return LOSSES[name]()
