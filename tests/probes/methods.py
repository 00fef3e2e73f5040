"""Simple methods in torch, with which the probes' controls are trained.

The rules that torch does not have stand here in a line each, so that what passes a probe, and what
does not, depends on nothing that ships.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, Optimizer

Method = Callable[[nn.Module], Optimizer]
Update = Callable[[list[Tensor], float], None]


class Rule(Optimizer):
    """An optimizer that is one function of the parameters, with their gradients, and the rate."""

    def __init__(self, model: nn.Module, rate: float, update: Update) -> None:
        super().__init__(model.parameters(), {"lr": rate})
        self.update = update

    @torch.no_grad()
    def step(self, closure: object = None) -> Any:
        (group,) = self.param_groups
        self.update(group["params"], group["lr"])


def sgd(rate: float, momentum: float = 0.0) -> Method:
    return lambda model: SGD(model.parameters(), lr=rate, momentum=momentum)


def adam(rate: float) -> Method:
    return lambda model: Adam(model.parameters(), lr=rate)


def adagrad(rate: float) -> Method:
    return lambda model: Adagrad(model.parameters(), lr=rate)


def sign(rate: float) -> Method:
    """Steps of one length for every weight."""

    def update(weights: list[Tensor], rate: float) -> None:
        for weight in weights:
            weight.sub_(rate * gradient(weight).sign())

    return lambda model: Rule(model, rate, update)


def clip(rate: float, norm: float) -> Method:
    """SGD whose gradient has at most a norm over all weights."""

    def update(weights: list[Tensor], rate: float) -> None:
        factor = min(1.0, norm / max(total_norm(weights), 1e-30))
        for weight in weights:
            weight.sub_(rate * factor * gradient(weight))

    return lambda model: Rule(model, rate, update)


def layerwise(rate: float, epsilon: float = 1e-30) -> Method:
    """Steps of one length relative to each weight's norm; without epsilon 0 / 0 is NaN."""

    def update(weights: list[Tensor], rate: float) -> None:
        for weight in weights:
            length = rate * weight.norm() / (gradient(weight).norm() + epsilon)
            weight.sub_(length * gradient(weight))

    return lambda model: Rule(model, rate, update)


def skipping(rate: float) -> Method:
    """SGD that leaves out gradients which are not finite."""

    def update(weights: list[Tensor], rate: float) -> None:
        if math.isfinite(total_norm(weights)):
            for weight in weights:
                weight.sub_(rate * gradient(weight))

    return lambda model: Rule(model, rate, update)


def whiten(rate: float, damping: float = 1e-5) -> Method:
    """SGD times the inverse second moment of the last layer's inputs, a mean over all batches."""

    def build(model: nn.Module) -> Optimizer:
        moment, count = torch.zeros(()), 0

        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            nonlocal moment, count
            if model.training:
                count += 1
                moment = moment + (inputs[0].T @ inputs[0] / len(inputs[0]) - moment) / count

        def update(weights: list[Tensor], rate: float) -> None:
            (weight,) = weights
            damped = moment + damping * moment.trace() / len(moment) * torch.eye(len(moment))
            weight.sub_(rate * torch.linalg.solve(damped, gradient(weight).T).T)

        model.get_submodule("output").register_forward_pre_hook(note)
        return Rule(model, rate, update)

    return build


def gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def total_norm(weights: list[Tensor]) -> float:
    return math.sqrt(sum(gradient(weight).double().square().sum().item() for weight in weights))
