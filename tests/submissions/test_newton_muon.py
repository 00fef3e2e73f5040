"""Newton-Muon: the authors' algorithm on a perceptron, convolutions, what it leaves to Muon."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import unfold

from tests.frameworks.kit import Kit

from .conftest import Measure
from .given_problem import Point, default_point, jordans
from .small_problem import DoubleStream, double_kit, submission
from .workload_models import WorkloadKit

SOURCE: Point = {
    "coefficients": "jordan", "newton_schulz_steps": 5, "norm": "frobenius", "schedule": "constant",
    "warmup": 0.0, "matmul_dtype": "float64",
}  # fmt: skip


class Textbook:
    """Algorithm 1 in float64, on the hidden layers of a perceptron with tanh."""

    def __init__(self, model: Any, point: Point) -> None:
        self.model, self.point, self.steps = model, point, 0
        self.hidden = [n for n, _ in model.named_modules() if n.startswith("hidden")]
        widths = {n: model.get_submodule(n).weight.shape[1] for n in self.hidden}
        self.k = {n: 1e-3 * np.eye(width) for n, width in widths.items()}
        self.inverse = {n: np.eye(width) for n, width in widths.items()}
        self.m = dict.fromkeys(self.hidden, 0.0)
        rest = [p for n, p in model.named_parameters() if n.removesuffix(".weight") not in self.k]
        betas = point["adam_beta1"], point["adam_beta2"]
        settings = {"eps": point["epsilon"], "weight_decay": point["weight_decay"]}
        self.adamw = torch.optim.AdamW(rest, point["adam_learning_rate"], betas, **settings)

    def step(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        self.model.zero_grad()
        torch.nn.functional.cross_entropy(self.model(inputs), targets).backward()
        self.steps += 1
        values = inputs
        for name in self.hidden:
            layer, point = self.model.get_submodule(name), self.point
            z = values.detach().numpy().T
            values = torch.tanh(layer(values))
            if self.steps % point["refresh_every"] == 0:
                self.k[name] = 0.95 * self.k[name] + 0.05 * z @ z.T / z.shape[1]
                ridge = 0.2 * np.trace(self.k[name]) / len(z)
                self.inverse[name] = np.linalg.inv(self.k[name] + ridge * np.eye(len(z)))
            g = layer.weight.grad.numpy() @ self.inverse[name]
            self.m[name] = 0.95 * self.m[name] + g
            o = jordans(g + 0.95 * self.m[name], 1e-7 / 0.05)
            o *= max(1.0, o.shape[0] / o.shape[1]) ** 0.5
            rate = point["learning_rate"]
            layer.weight.data.mul_(1 - rate * point["weight_decay"]).sub_(rate * torch.tensor(o))
        self.adamw.step()


def test_twenty_steps_agree_with_the_authors_algorithm(measure: Measure) -> None:
    kit = double_kit()
    point = default_point("newton_muon", refresh_every=3, **SOURCE)
    theirs = Textbook(copy.deepcopy(kit.problem.model), point)
    ours = submission("newton_muon", kit, refresh_every=3, **SOURCE)
    stream, again = DoubleStream(kit), DoubleStream(kit)
    for _ in range(20):
        theirs.step(*stream.next())
        ours.step(again)
    actual = kit.problem.parameters
    errors = [(actual[n] - v).abs().max().item() for n, v in theirs.model.named_parameters()]
    assert measure(max(errors)) < 1e-6  # captured inputs are float32


def test_before_the_first_refresh_it_is_muon() -> None:
    kit, other = Kit("torch"), Kit("torch")
    ours = submission("newton_muon", kit, refresh_every=9)
    theirs = other.submission("submissions/muon", **default_point("muon"))
    stream, again = kit.stream(), other.stream()
    for step in range(9):
        for name, value in kit.problem.parameters.items():
            assert torch.equal(value, other.problem.parameters[name]), (step, name)
        ours.step(stream)
        theirs.step(again)
    displacements = [
        not torch.equal(v, other.problem.parameters[n]) for n, v in kit.problem.parameters.items()
    ]
    assert any(displacements)


def test_a_convolutions_inputs_are_its_patches() -> None:
    kit = WorkloadKit("torch", name="resnet")
    ours = submission("newton_muon", kit, refresh_every=1, ridge=0.0)
    layer = next(layer for layer in ours.layers if layer.kind == "convolution")
    inputs: list[torch.Tensor] = []
    module = kit.problem.model.get_submodule(layer.weight.removesuffix(".weight"))
    handle = module.register_forward_hook(lambda _, values, __: inputs.append(values[0].detach()))
    ours.step(kit.stream())
    handle.remove()
    shape = kit.problem.parameters[layer.weight].shape
    patches = unfold(inputs[0], shape[2:], padding=layer.padding, stride=layer.stride)
    z = patches.mT.flatten(0, 1)
    expected = 0.95e-3 * torch.eye(z.shape[1]) + 0.05 * z.mT @ z / len(z)
    torch.testing.assert_close(ours.state["moments"][layer.weight], expected, rtol=1e-4, atol=1e-6)


def test_output_and_frozen_layers_are_left_alone() -> None:
    kit = Kit("torch")
    first = kit.problem.parameters["hidden_1.weight"]
    before = first.detach().clone()
    first.requires_grad_(False)
    ours = submission("newton_muon", kit, refresh_every=1)
    assert [layer.name for layer in ours.layers] == ["hidden_1", "hidden_2"]
    stream = kit.stream()
    for _ in range(3):
        ours.step(stream)
    assert torch.equal(first, before)
    assert bool(torch.isfinite(kit.problem.parameters["hidden_2.weight"]).all())


@pytest.mark.parametrize("period", [1, 4])
def test_spikes_meet_the_first_step_with_new_inverses(period: int) -> None:
    kit = Kit("torch")
    changes = {"spike_factor": 10.0, "schedule": "constant", "warmup": 0.0}
    ours = submission("newton_muon", kit, refresh_every=period, **changes)
    stream, spiked, refreshed = kit.stream(), [], []
    for step in range(8):
        before = ours.state["inverses"].get("hidden_1.weight")
        ours.step(stream)
        rate = float(ours.learning_rate() or 0.0)
        spiked += [step] if rate > ours.point["learning_rate"] else []
        after = ours.state["inverses"].get("hidden_1.weight")
        refreshed += [] if after is before else [step]
    assert spiked == refreshed
    assert len(spiked) == 8 // period
