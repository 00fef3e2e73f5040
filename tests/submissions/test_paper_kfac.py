"""KFAC as its source has it: its inverses as dense matrices, its lengths, its damping."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from harness.core.errors import HarnessError
from submissions.paper_kfac.inverses import INVERSES, Factors, apply_inverse
from tests.frameworks.kit import Kit

from .conftest import Measure
from .given_problem import Point
from .small_problem import DoubleStream, double_kit, fisher, gradient, submission, values
from .workload_models import WorkloadKit

STEPS = 20
SIZES = [(3, 4), (2, 3), (4, 2)]
"""Out and in of three layers."""


def factors(sizes: list[tuple[int, int]]) -> Factors:
    """Of samples that the layers share, so that all of them together are positive."""
    generator = torch.Generator().manual_seed(0)
    draw = [
        [torch.randn(50, n, generator=generator, dtype=torch.float64) for n in pair]
        for pair in sizes
    ]
    mixed = [[one + 0.8 * one[:, :1] + draw[0][0][:, :1] for one in pair] for pair in draw]
    y, x = [pair[0] / 50**0.5 for pair in mixed], [pair[1] / 50**0.5 for pair in mixed]
    return {
        "a": [one.mT @ one for one in x],
        "s": [one.mT @ one for one in y],
        "a_next": [one.mT @ two for one, two in pairwise(x)],
        "s_next": [one.mT @ two for one, two in pairwise(y)],
    }


def damp(factors: Factors, gamma: float) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The factors of the diagonal blocks with the source's damping, pi and all."""
    a, s = [], []
    for one, two in zip(factors["a"], factors["s"], strict=True):
        pi = float(one.trace() / len(one) / (two.trace() / len(two))) ** 0.5
        a.append(one + pi * gamma * torch.eye(len(one)))
        s.append(two + gamma / pi * torch.eye(len(two)))
    return a, s


def dense(kind: str, factors: Factors, gamma: float) -> torch.Tensor:
    """The approximate inverse as a matrix over all layers' gradients, row by row."""
    shapes = [(len(s), len(a)) for s, a in zip(factors["s"], factors["a"], strict=True)]
    parts = INVERSES[kind](factors, gamma)
    columns = []
    for row in torch.eye(sum(out * width for out, width in shapes), dtype=torch.float64):
        split = row.split([out * width for out, width in shapes])
        step_gradients = [one.view(shape) for one, shape in zip(split, shapes, strict=True)]
        columns.append(torch.cat([one.flatten() for one in apply_inverse(parts, step_gradients)]))
    return torch.stack(columns, 1)


def block(matrix: torch.Tensor, i: int, j: int) -> torch.Tensor:
    ends = [0, *torch.tensor([out * width for out, width in SIZES]).cumsum(0).tolist()]
    return matrix[ends[i] : ends[i + 1], ends[j] : ends[j + 1]]


@pytest.mark.parametrize("kind", INVERSES)
def test_what_is_inverted_has_the_fishers_blocks(kind: str) -> None:
    result = factors(SIZES)
    inverse = dense(kind, result, gamma=0.3)
    torch.testing.assert_close(inverse, inverse.mT)
    whole, (a, s) = torch.linalg.inv(inverse), damp(result, 0.3)
    for i in range(len(SIZES)):
        torch.testing.assert_close(block(whole, i, i), torch.kron(s[i], a[i]))
    for i in range(len(SIZES) - 1):
        beside = torch.kron(result["s_next"][i], result["a_next"][i])
        expected = beside if kind == "tridiagonal" else torch.zeros_like(beside)
        torch.testing.assert_close(block(whole, i, i + 1), expected)


def test_the_tridiagonal_inverse_is_zero_beyond_neighbours() -> None:
    inverse = dense("tridiagonal", factors(SIZES), gamma=0.3)
    torch.testing.assert_close(block(inverse, 0, 2), torch.zeros_like(block(inverse, 0, 2)))


@pytest.mark.parametrize("kind", INVERSES)
def test_updates_minimise_the_exact_model_over_both_directions(kind: str, measure: Measure) -> None:
    """Twenty steps with the inverse as a dense matrix and the explicit Fisher."""
    kit = double_kit()
    point: Point = {"damping": 0.1, "refresh_every": 1, "weight_decay": 0.01}
    ours = submission("paper_kfac", kit, **point, inverse=kind)
    stream, again = DoubleStream(kit), DoubleStream(kit)
    names = list(kit.problem.parameters)
    order = [name for one in kit.problem.layers for name in (one.weight, one.bias)]
    last, before = torch.zeros_like(values(kit)), values(kit)
    for _ in range(STEPS):
        batch, lam = again.next(), ours.state["lambda"]
        g = gradient(kit.problem, batch) + 0.01 * before
        matrix = fisher(kit.problem, batch) + (lam + 0.01) * torch.eye(len(g))
        ours.step(stream)
        inverse = dense(kind, ours.state["factors"], ours.state["gamma"])
        delta = -_through(inverse, g, kit, names, order)
        span = torch.stack([delta, last])[: 2 if bool(last.any()) else 1]
        weights = torch.linalg.solve(span @ matrix @ span.mT, -(span @ g))
        after = values(kit)
        assert measure(float((after - before - weights @ span).abs().max())) < 1e-8
        last, before = after - before, after


def _through(
    inverse: torch.Tensor, g: torch.Tensor, kit: Kit, names: list[str], order: list[str]
) -> torch.Tensor:
    """The dense inverse times a vector in the order of the parameters."""
    live = kit.problem.parameters
    split = g.split([live[name].numel() for name in names])
    named = {name: one.view_as(live[name]) for name, one in zip(names, split, strict=True)}
    pairs = list(zip(order[::2], order[1::2], strict=True))
    rows = [torch.cat([named[w], named[b][:, None]], 1).flatten() for w, b in pairs]
    sizes = [len(row) for row in rows]
    result = {}
    for (w, b), part in zip(pairs, (inverse @ torch.cat(rows)).split(sizes), strict=True):
        matrix = part.view(len(live[w]), -1)
        result[w], result[b] = matrix[:, :-1], matrix[:, -1]
    return torch.cat([result[name].flatten() for name in names])


@pytest.mark.parametrize(("ratio", "factor"), [(0.9, 0.95**5), (0.5, 1.0), (0.1, 0.95**-5)])
def test_lambda_follows_what_of_the_models_gain_has_come(ratio: float, factor: float) -> None:
    ours = submission("paper_kfac", double_kit(), damping=2.0, adapt_every=5)
    ours._adapt(ratio * -0.3, -0.3)
    assert ours.state["lambda"] == pytest.approx(2.0 * factor)


@pytest.mark.parametrize("kind", INVERSES)
def test_it_trains_a_perceptron(kind: str) -> None:
    kit = Kit("torch")
    ours, stream = submission("paper_kfac", kit, inverse=kind, damping=0.1), kit.stream()
    losses = [float(ours.step(stream)) for _ in range(40)]
    assert losses[-1] < 0.3 * losses[0]


def test_a_model_that_is_no_chain_of_linear_layers_is_refused() -> None:
    with pytest.raises(HarnessError, match="chains of fully connected layers"):
        submission("paper_kfac", WorkloadKit("torch", name="rnn"))
