"""KFAC: the exact Fisher of a linear network, curvlinops' factors, twenty steps with them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from given_problem import default_point
from torch import nn

from harness.interface import Tap
from submissions.mathematics.kronecker_factors import factored_damping, rows, uses
from tests.frameworks.kit import Kit
from workloads.parameters import LayerSpec

LINEAR = LayerSpec("layer", "linear", "weight", "bias")


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def kronecker(layer: LayerSpec, weight: torch.Tensor, tap: Tap[Any], n: int, how: str) -> Any:
    x, y = rows(uses(layer, weight.shape, tap), n, how)
    return torch.kron(y.mT @ y, x.mT @ x)


def test_it_is_the_exact_fisher_of_a_linear_network_with_gaussian_loss() -> None:
    batch, widths = 11, (5, 4, 3)
    inputs = random(batch, widths[0])
    first, second = random(4, 5, seed=1), random(3, 4, seed=2)
    # Targets one standard basis vector off, scaled, have the Gaussian's covariance exactly.
    repeated = inputs.repeat(widths[2], 1)
    errors = torch.eye(3).repeat_interleave(batch, 0) * widths[2] ** 0.5
    tap = Tap(repeated, errors @ second / len(repeated))
    layer = LayerSpec("layer", "linear", "weight")
    found = kronecker(layer, first, tap, len(repeated), "expand")
    jacobians = torch.einsum("ko,ni->nkoi", second, inputs).flatten(2)
    exact = torch.einsum("nkp,nkq->pq", jacobians, jacobians) / batch
    torch.testing.assert_close(found, exact)


class Sequence(nn.Sequential):
    """Two layers over (batch, time, width), one label a step, as a language model has."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).flatten(0, 1)


def network(kind: str) -> tuple[nn.Module, torch.Tensor, torch.Tensor, LayerSpec]:
    torch.manual_seed(3)
    labels = torch.arange(12) % 5
    if kind == "linear":
        model: nn.Module = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 5))
        return model, random(12, 6), labels, LINEAR
    if kind == "sequence":
        return (
            Sequence(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 5)),
            random(4, 3, 6),
            labels,
            LINEAR,
        )
    head = (nn.ReLU(), nn.Flatten(), nn.Linear(4 * 9, 5))
    model = nn.Sequential(nn.Conv2d(2, 4, 3, stride=2, padding=1), *head)
    layer = LayerSpec("layer", "convolution", "weight", "bias", "space", stride=2, padding=1)
    return model, random(12, 2, 6, 6), labels, layer


def tapped(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> Tap[torch.Tensor]:
    caught: list[torch.Tensor] = []

    def keep(_: nn.Module, __: Any, output: torch.Tensor) -> None:
        output.register_hook(caught.append)

    handle = model.get_submodule("0").register_forward_hook(keep)
    nn.functional.cross_entropy(model(inputs), labels).backward()
    handle.remove()
    return Tap(inputs, caught[0])


def oracle(model: nn.Module, inputs: Any, labels: Any, how: str) -> Any:
    curvlinops = pytest.importorskip("curvlinops", reason="oracle: pip install --no-deps")
    return curvlinops.KFACLinearOperator(
        model,
        nn.CrossEntropyLoss(),
        list(model.parameters()),
        [(inputs, labels)],
        fisher_type="empirical",
        kfac_approx=how,
        separate_weight_and_bias=False,
        check_deterministic=False,
        num_per_example_loss_terms=len(labels) // len(inputs),
    )


@pytest.mark.parametrize("how", ["expand", "reduce"])
@pytest.mark.parametrize("kind", ["linear", "sequence", "convolution"])
def test_factors_agree_with_curvlinops(kind: str, how: str) -> None:
    model, inputs, labels, layer = network(kind)
    tap = tapped(model, inputs, labels)
    theirs = oracle(model, inputs, labels, how)
    theirs.compute_kronecker_factors()
    weight = model.get_parameter("0.weight")
    found = kronecker(layer, weight, tap, len(labels), how)
    a, s = theirs._input_covariances["0"], theirs._gradient_covariances["0"]
    torch.testing.assert_close(found, torch.kron(s, a), rtol=1e-4, atol=1e-7)


def test_twenty_steps_with_the_factors_of_curvlinops() -> None:
    kit = Kit("torch")
    changes: dict[str, Any] = {"fisher": "empirical", "observe_every": 1, "refresh_every": 1}
    point = default_point("kfac", **changes, schedule="constant", warmup=0.0)
    model = copy.deepcopy(kit.problem.model)
    ours = kit.submission("submissions/kfac", **point)
    stream, averages, momenta = kit.stream(), {}, {}
    batches = [stream.next() for _ in range(20)]
    for t, (inputs, targets) in enumerate(batches, 1):
        theirs = oracle(model, inputs, targets, "expand")
        theirs.compute_kronecker_factors()
        model.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        directions = {}
        for name in theirs._input_covariances:
            pair = (theirs._input_covariances[name], theirs._gradient_covariances[name])
            old = averages.get(name, (0.0, 0.0))
            averages[name] = tuple(0.95 * o + 0.05 * n for o, n in zip(old, pair, strict=True))
            a, s = (value / (1 - 0.95**t) for value in averages[name])
            for_a, for_s = factored_damping(a, s, point["damping"] ** 0.5)
            layer = model.get_submodule(name)
            g = torch.cat([layer.weight.grad, layer.bias.grad[:, None]], 1)
            d = torch.linalg.inv(s + for_s * torch.eye(len(s))) @ g
            directions[name] = (g, d @ torch.linalg.inv(a + for_a * torch.eye(len(a))))
        rate = point["learning_rate"]
        size = sum((g * d).sum() for g, d in directions.values()) * rate**2
        shrink = min(1.0, float(point["trust"] / size) ** 0.5)
        for name, (_, d) in directions.items():
            momenta[name] = point["momentum"] * momenta.get(name, 0.0) + shrink * d
            weight, bias = model.get_submodule(name).parameters()
            weight.data.mul_(1 - rate * 0.01).sub_(rate * momenta[name][:, :-1])
            bias.data.mul_(1 - rate * 0.01).sub_(rate * momenta[name][:, -1])
    again = kit.stream()
    for _ in batches:
        ours.step(again)
    for name, value in model.named_parameters():
        torch.testing.assert_close(kit.problem.parameters[name], value, rtol=1e-3, atol=2e-5)
