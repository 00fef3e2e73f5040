"""EKFAC: the exact second moment in its basis, twenty steps in float64."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from submissions.common.kronecker_factors import second_moment, uses
from submissions.common.optimizers import State
from tests.frameworks.kit import Kit
from tests.submissions.test_kfac import KINDS, capture_layer, network

from .conftest import Measure
from .given_problem import Point, default_point


def orthogonal(size: int) -> torch.Tensor:
    matrix = torch.randn(size, size, generator=torch.Generator().manual_seed(size))
    turn: torch.Tensor = torch.linalg.qr(matrix)[0]
    return turn


def per_example(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
    """The first layer's gradient of each example's part of the mean loss, (out, in + 1)."""
    first, gradients = model.get_submodule("0"), []
    labels = labels.reshape(len(inputs), -1)
    for x, y in zip(inputs, labels, strict=True):
        loss = nn.functional.cross_entropy(model(x[None]), y, reduction="sum") / labels.numel()
        weight, bias = torch.autograd.grad(loss, list(first.parameters()))
        gradients.append(torch.cat([weight.flatten(1), bias[:, None]], 1))
    return gradients


@pytest.mark.parametrize("kind", KINDS)
def test_the_diagonal_is_the_exact_second_moment_in_its_basis(kind: str) -> None:
    model, inputs, labels, layer = network(kind)
    gradients = per_example(model, inputs, labels)
    out, width = gradients[0].shape
    left, right = orthogonal(out), orthogonal(width)
    exact = sum((left.mT @ g @ right).square() for g in gradients) * len(labels)
    capture = capture_layer(model, layer, inputs, labels)
    weight = model.get_parameter("0.weight")
    actual = second_moment(uses(layer, weight.shape, capture), len(labels), right, left)
    torch.testing.assert_close(actual, exact)


def textbook_step(
    state: State, a: torch.Tensor, d: torch.Tensor, t: int, point: Point
) -> torch.Tensor:
    """The direction of a layer refreshed at steps 1, 7, 12, ..., from dense matrices."""
    gradients = torch.einsum("no,ni->noi", d, a).flatten(1)
    covariances = (d.mT @ d / len(d), a.mT @ a / len(a))
    old = state.get("factors", (0.0, 0.0))
    state["factors"] = [0.95 * o + 0.05 * n for o, n in zip(old, covariances, strict=True)]
    if "basis" in state:
        state["age"] += 1
        moment = (gradients @ state["basis"]).square().mean(0)
        state["moment"] = torch.lerp(state["moment"], moment, max(0.1, 1 / state["age"]))
    if t in (1, 7, 12, 17):
        values, bases = zip(*(torch.linalg.eigh(f) for f in state["factors"]), strict=True)
        state["basis"], state["age"] = torch.kron(*bases), 0
        state["moment"] = torch.kron(*values) / (1 - 0.95 ** (t + 1)) ** 2
    if "basis" not in state:
        return torch.zeros(d.shape[1], a.shape[1])
    turned = state["basis"].mT @ gradients.mean(0) / (state["moment"] + point["damping"])
    result: torch.Tensor = (state["basis"] @ turned).reshape(d.shape[1], -1)
    return result


def test_twenty_steps_agree_with_full_matrices_in_float64(measure: Measure) -> None:
    kit, stream = Kit("torch"), Kit("torch").stream()
    changes: Point = {"fisher": "empirical", "observe_every": 1, "refresh_every": 5}
    changes |= {"trust": 1e9, "momentum": 0.0, "weight_decay": 0.0, "max_dim": 8}
    point = default_point("ekfac", **changes, schedule="constant", warmup=0.0)
    model, again = copy.deepcopy(kit.problem.model).double(), kit.stream()
    ours = kit.submission("submissions/ekfac", **point)
    state: State = {}
    weight, bias = model.get_submodule("output").parameters()
    largest = 0.0
    for t in range(20):
        inputs, targets = stream.next()
        model.load_state_dict(kit.problem.model.state_dict())
        hidden = nn.Sequential(*list(model.children())[:-1])(inputs.double())
        errors = (hidden @ weight.mT + bias).softmax(-1) - nn.functional.one_hot(targets, 4)
        with_one = torch.cat([hidden, torch.ones(len(hidden), 1)], 1)
        step = textbook_step(state, with_one.detach(), errors.detach(), t, point)
        expected = weight - point["learning_rate"] * step[:, :-1]
        ours.step(again)
        actual = kit.problem.parameters["output.weight"].double()
        assert measure(float((actual - expected).detach().abs().max())) < 1e-5
        largest += (actual - weight).detach().abs().max().item()
    assert largest > 0.1
