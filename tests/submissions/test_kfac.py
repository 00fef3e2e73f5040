"""KFAC: the exact Fisher of a linear network, factors by definition, twenty steps with them."""

from __future__ import annotations

import copy
import importlib
from typing import Any

import pytest
import torch
from torch import nn

from harness.frameworks.torch.captures import capture_layers
from harness.submission.interface import Capture
from submissions.common.kronecker_factors import rows, uses
from tests.frameworks.kit import Kit
from workloads.parameters import LayerSpec

from .conftest import Measure
from .given_problem import Point, default_point

LINEAR = LayerSpec("layer", "linear", "0.weight", "0.bias")
Pair = tuple[torch.Tensor, torch.Tensor]
KINDS = ["linear", "sequence", "convolution", "recurrent"]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def kronecker(
    layer: LayerSpec, weight: torch.Tensor, capture: Capture[torch.Tensor], n: int, how: str
) -> torch.Tensor:
    x, y = rows(uses(layer, weight.shape, capture), n, how)
    return torch.kron(y.mT @ y, x.mT @ x)


def test_it_is_the_exact_fisher_of_a_linear_network_with_gaussian_loss() -> None:
    batch, widths = 11, (5, 4, 3)
    inputs = random(batch, widths[0])
    first, second = random(4, 5, seed=1), random(3, 4, seed=2)
    # Targets one standard basis vector off, scaled, have the Gaussian's covariance exactly.
    repeated = inputs.repeat(widths[2], 1)
    errors = torch.eye(3).repeat_interleave(batch, 0) * widths[2] ** 0.5
    capture = Capture(repeated, errors @ second / len(repeated))
    layer = LayerSpec("layer", "linear", "weight")
    actual = kronecker(layer, first, capture, len(repeated), "expand")
    jacobians = torch.einsum("ko,ni->nkoi", second, inputs).flatten(2)
    exact = torch.einsum("nkp,nkq->pq", jacobians, jacobians) / batch
    torch.testing.assert_close(actual, exact)


class Sequence(nn.Sequential):
    """Two layers over (batch, time, width), one label a step, as a language model has."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self:
            x = layer(x)
        return x.flatten(0, 1)


class Recurrence(nn.Sequential):
    """h_t = tanh(x_t + W h_{t-1} + b), and one label a step."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states = [torch.zeros_like(x[:, 0])]
        for step in x.unbind(1):
            states.append(torch.tanh(step + self[0](states[-1])))
        logits: torch.Tensor = self[1](torch.stack(states[1:], 1).flatten(0, 1))
        return logits


def network(kind: str) -> tuple[nn.Module, torch.Tensor, torch.Tensor, LayerSpec]:
    torch.manual_seed(3)
    labels = torch.arange(12) % 5
    pair = nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 5)
    if kind == "linear":
        return nn.Sequential(*pair), random(12, 6), labels, LINEAR
    if kind == "sequence":
        return Sequence(*pair), random(4, 3, 6), labels, LINEAR
    if kind == "recurrent":
        layer = LayerSpec("layer", "recurrent", "0.weight", "0.bias", "sequence")
        return Recurrence(nn.Linear(4, 4), pair[2]), random(4, 3, 4), labels, layer
    head = (nn.ReLU(), nn.Flatten(), nn.Linear(4 * 9, 5))
    model = nn.Sequential(nn.Conv2d(2, 4, 3, stride=2, padding=1), *head)
    layer = LayerSpec("layer", "convolution", "0.weight", "0.bias", "space", stride=2, padding=1)
    return model, random(12, 2, 6, 6), labels, layer


def capture_layer(
    model: nn.Module, layer: LayerSpec, inputs: torch.Tensor, labels: torch.Tensor
) -> Capture[torch.Tensor]:
    with capture_layers(model, [layer], None) as captures:
        nn.functional.cross_entropy(model(inputs), labels).backward()
    return captures[layer.name]


def places(values: torch.Tensor) -> torch.Tensor:
    """A layer's output as (examples, places, out)."""
    channels_last = values.movedim(1, -1) if values.ndim == 4 else values
    return channels_last.reshape(len(values), -1, channels_last.shape[-1])


def use_inputs(module: nn.Module, layer_inputs: torch.Tensor) -> torch.Tensor:
    """a: what the first output at each place is when each weight into it, and its bias, is one."""

    def first(parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        return places(torch.func.functional_call(module, parameters, (layer_inputs,)))[..., 0]

    values = {n: p.detach() for n, p in module.named_parameters()}
    jacobian: dict[str, torch.Tensor] = torch.func.jacrev(first)(values)
    return torch.cat([jacobian["weight"][:, :, 0].flatten(2), jacobian["bias"][:, :, :1]], 2)


def factors(
    model: nn.Module, name: str, inputs: torch.Tensor, labels: torch.Tensor, how: str = "expand"
) -> tuple[torch.Tensor, torch.Tensor]:
    """A and S by their definition: autograd in a shift of the layer's output at every place."""
    module, layer_inputs, shifts = model.get_submodule(name), [], []

    def shift(_: nn.Module, values: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        layer_inputs.append(values[0].detach())
        shifts.append(torch.zeros_like(output, requires_grad=True))
        return output + shifts[-1]

    handle = module.register_forward_hook(shift)
    loss = nn.functional.cross_entropy(model(inputs), labels)
    handle.remove()
    g = torch.cat([places(gradient) for gradient in torch.autograd.grad(loss, shifts)], 1)
    a = torch.cat([use_inputs(module, values) for values in layer_inputs], 1)
    if how == "reduce":
        a, g = a.mean(1, keepdim=True), g.sum(1, keepdim=True)
    a, g = a.flatten(0, 1), g.flatten(0, 1)
    return a.mT @ a / len(a), len(labels) * g.mT @ g


@pytest.mark.parametrize("how", ["expand", "reduce"])
@pytest.mark.parametrize("kind", KINDS)
def test_factors_are_those_of_the_definition(kind: str, how: str) -> None:
    model, inputs, labels, layer = network(kind)
    capture = capture_layer(model, layer, inputs, labels)
    actual = kronecker(layer, model.get_parameter("0.weight"), capture, len(labels), how)
    a, s = factors(model, "0", inputs, labels, how)
    torch.testing.assert_close(actual, torch.kron(s, a), rtol=1e-4, atol=1e-7)


class Textbook:
    """KFAC with factors by definition and dense inverses, on every layer of a perceptron."""

    def __init__(self, model: nn.Module, point: Point) -> None:
        self.model, self.point, self.t = model, point, 0
        self.names = [n for n, module in model.named_modules() if isinstance(module, nn.Linear)]
        self.averages = {name: (torch.tensor(0.0), torch.tensor(0.0)) for name in self.names}
        self.momenta = {name: torch.tensor(0.0) for name in self.names}

    def direction(self, name: str, pair: tuple[torch.Tensor, ...]) -> Pair:
        """G and (S + gamma / pi I)^-1 G (A + pi gamma I)^-1."""
        old, beta = self.averages[name], self.point["factor_beta"]
        new = [beta * before + (1 - beta) * now for before, now in zip(old, pair, strict=True)]
        self.averages[name] = (new[0], new[1])
        a, s = (value / (1 - beta**self.t) for value in self.averages[name])
        gamma = self.point["damping"] ** 0.5
        pi = ((a.trace() / len(a)) / (s.trace() / len(s))) ** 0.5
        layer: Any = self.model.get_submodule(name)
        g = torch.cat([layer.weight.grad, layer.bias.grad[:, None]], 1)
        half = torch.linalg.inv(s + gamma / pi * torch.eye(len(s))) @ g
        return g, half @ torch.linalg.inv(a + pi * gamma * torch.eye(len(a)))

    def step(self, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        self.t += 1
        by_layer = {name: factors(self.model, name, inputs, labels) for name in self.names}
        self.model.zero_grad()
        nn.functional.cross_entropy(self.model(inputs), labels).backward()
        pairs = {name: self.direction(name, pair) for name, pair in by_layer.items()}
        rate, decay = self.point["learning_rate"], self.point["weight_decay"]
        size = sum((g * d).sum() for g, d in pairs.values()) * rate**2
        shrink = min(1.0, float(self.point["trust"] / size) ** 0.5)
        for name, (_, d) in pairs.items():
            self.momenta[name] = self.point["momentum"] * self.momenta[name] + shrink * d
            step = self.momenta[name]
            weight, bias = self.model.get_submodule(name).parameters()
            weight.data.mul_(1 - rate * decay).sub_(rate * step[:, :-1])
            bias.data.mul_(1 - rate * decay).sub_(rate * step[:, -1])


def test_twenty_steps_agree_with_dense_inverses_of_the_factors(measure: Measure) -> None:
    kit = Kit("torch")
    changes: Point = {"fisher": "empirical", "observe_every": 1, "refresh_every": 1}
    point = default_point("kfac", **changes, schedule="constant", warmup=0.0)
    theirs = Textbook(copy.deepcopy(kit.problem.model), point)
    ours = kit.submission("submissions/kfac", **point)
    stream, again = kit.stream(), kit.stream()
    for _ in range(20):
        theirs.step(*stream.next())
        ours.step(again)
    for name, value in theirs.model.named_parameters():
        error = (kit.problem.parameters[name] - value).detach().abs().max()
        assert measure(float(error)) < 2e-5 + 1e-3 * float(value.detach().abs().max())


@pytest.mark.parametrize("name", ["kfac", "ekfac"])
@pytest.mark.parametrize("part", ["weight", "bias"])
def test_what_is_frozen_stays_and_the_rest_is_trained(name: str, part: str) -> None:
    kit = Kit("torch")
    frozen = next(n for n in kit.problem.parameters if n.endswith(part))
    kit.problem.parameters[frozen].requires_grad_(False)
    submission = importlib.import_module(f"submissions.{name}.submission").Submission()
    submission.setup(kit.problem, default_point(name))
    before = {n: value.detach().clone() for n, value in kit.problem.parameters.items()}
    stream = kit.stream()
    for _ in range(20):
        submission.step(stream)
    still = [n for n, value in kit.problem.parameters.items() if torch.equal(value, before[n])]
    assert still == [frozen]
