"""Muon: singular values in a band, a float64 textbook, torch.optim's, JAX against torch."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from harness.core.errors import UnknownNameError
from submissions.common.batching import apply_by_shape
from submissions.common.matrix_sign import _multiply, largest, newton_schulz
from submissions.common.newton_schulz import JORDAN, iterations
from submissions.muon.submission import Muon
from tests.tiers import nightly_but
from workloads.parameters import Role

from .conftest import Measure
from .given_problem import (
    SHAPES,
    Array,
    Point,
    default_point,
    gradients,
    largest_error,
    optax_steps,
    optax_transformation,
    textbook_steps,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

SOURCE = {"coefficients": "jordan", "newton_schulz_steps": 5}
FROBENIUS: Point = {"norm": "frobenius", "coefficients": "jordan", "steps": 5}
FORMS: list[Point] = [
    {"nesterov": "source", "scaling": "source"},
    {"nesterov": "source", "scaling": "thesis", "norm": "frobenius", **SOURCE},
    {"nesterov": "none", "scaling": "rms", **SOURCE},
]
HIDDEN = [n for n, (_, role) in SHAPES.items() if role in (Role.HIDDEN_MATRIX, Role.CONVOLUTION)]


def of_condition(rows: int, columns: int, condition: float, seed: int) -> torch.Tensor:
    """A random matrix whose singular values fall geometrically from 1 to 1 / condition."""
    generator = torch.Generator().manual_seed(seed)
    least = min(rows, columns)
    left: torch.Tensor = torch.linalg.qr(torch.randn(rows, least, generator=generator))[0]
    right: torch.Tensor = torch.linalg.qr(torch.randn(columns, least, generator=generator))[0]
    values = torch.logspace(0, -np.log10(condition), least)
    return (left * values) @ right.mT


@pytest.mark.parametrize("shape", [(256, 256), (64, 200), (200, 64), (10, 256)])
@pytest.mark.parametrize("condition", [1.0, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("coefficients", "steps"), [("polar_express", 4), ("jordan", 5)])
def test_singular_values_lie_in_the_band(
    shape: tuple[int, int], condition: float, dtype: torch.dtype, coefficients: str, steps: int
) -> None:
    matrix = of_condition(*shape, condition, seed=3)
    sign = newton_schulz(matrix[None], steps, coefficients=coefficients, dtype=dtype)[0].float()
    values = torch.linalg.svdvals(sign)
    assert values.min() > 0.65
    assert values.max() < 1.2


@pytest.mark.parametrize(
    ("rows", "columns"),
    nightly_but([(256, 256)], [(256, 256), (384, 384), (384, 1536), (768, 768)]),
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_lone_small_singular_value_is_brought_into_the_band(
    rows: int, columns: int, dtype: torch.dtype
) -> None:
    # The hardest spectrum of a condition: the norm exceeds the largest value as far as it can.
    flat = of_condition(rows, columns, 1.0, seed=3)
    left, values, right = torch.linalg.svd(flat, full_matrices=False)
    values[-1] = 0.01
    sign = newton_schulz((left * values @ right)[None], dtype=dtype)[0].float()
    singular_values = torch.linalg.svdvals(sign)
    assert singular_values.min() > 0.65
    assert singular_values.max() < 1.2


@pytest.mark.parametrize("rows", [8, 200, 600])
@pytest.mark.parametrize("rank", [1, 5, 600])
def test_the_tight_norm_bounds_the_largest_eigenvalue(rows: int, rank: int) -> None:
    generator = torch.Generator().manual_seed(rows + rank)
    half = torch.randn(rows, rank, generator=generator, dtype=torch.float64)
    gram = half @ half.mT
    bound, exact = float(largest(gram[None])), float(torch.linalg.matrix_norm(gram, 2))
    assert exact * (1 - 1e-6) <= bound <= float(torch.linalg.matrix_norm(gram)) * (1 + 1e-6)


def test_the_last_coefficients_repeat_and_unknown_ones_are_named() -> None:
    assert iterations("jordan", 5) == (JORDAN,) * 5
    assert len(set(iterations("polar_express", 6))) == 4
    with pytest.raises(UnknownNameError, match="did you mean 'jordan'"):
        iterations("jordon", 5)


def test_wide_matrices_give_the_same_on_their_short_side() -> None:
    wide = of_condition(200, 640, 1e2, seed=4)[None]
    exact = newton_schulz(wide.double(), dtype=torch.float64)
    halves = newton_schulz(wide, dtype=torch.float32)
    assert float((halves - exact).abs().max()) < 1e-4
    x, gram = wide / 2.0, wide @ wide.mT / 4.0
    together = _multiply(x, gram, (JORDAN,) * 3)
    for _ in range(3):
        x = _multiply(x, x @ x.mT, (JORDAN,))
    torch.testing.assert_close(together, x, atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("shape", [(10, 256), (128, 512), (200, 64), (256, 256)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_singular_matrix_stays_in_the_band(shape: tuple[int, int], dtype: torch.dtype) -> None:
    # As the output layer's gradient, whose rows sum to zero over the classes.
    for seed in range(10):
        matrix = of_condition(*shape, 8.0, seed)
        matrix -= matrix.mean(0)
        sign = newton_schulz(matrix[None], dtype=dtype)[0].float()
        assert torch.linalg.matrix_norm(sign, 2) < 1.2


def test_a_zero_matrix_stays_zero() -> None:
    assert newton_schulz(torch.zeros(1, 4, 6)).abs().max() == 0.0


def test_matrices_of_one_shape_share_a_call_and_keep_their_order() -> None:
    inputs = [torch.full(shape, float(i)) for i, shape in enumerate([(2, 3), (3, 2), (2, 3)])]
    calls: list[torch.Size] = []

    def count(stack: torch.Tensor) -> torch.Tensor:
        calls.append(stack.shape)
        return stack + 1.0

    outputs = apply_by_shape(count, inputs)
    assert calls == [torch.Size((2, 2, 3)), torch.Size((1, 3, 2))]
    assert all(torch.equal(a, b + 1.0) for a, b in zip(outputs, inputs, strict=True))


def textbook(point: Point) -> dict[str, Array]:
    """Float64, one matrix at a time, written from the algorithm box."""
    momenta: dict[str, Array] = {}

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        before = momenta.get(name, np.zeros_like(g))
        m = momenta[name] = point["momentum"] * before + g
        source = g + point["momentum"] * m
        # the thesis writes the same in another way
        thesis = m + point["momentum"] * (m - before)
        nesterov = thesis if point["scaling"] == "thesis" else source
        x = m if point["nesterov"] == "none" else nesterov
        x = x.reshape(len(x), -1)
        rows, columns = x.shape
        x = x / np.linalg.norm(x)
        x = x / np.linalg.norm(x)
        if point["norm"] == "tight":  # on so few rows
            x = x / np.linalg.norm(x @ x.T) ** 0.5
        for a, b, c in iterations(point["coefficients"], point["newton_schulz_steps"]):
            gram = x @ x.T
            x = a * x + (b * gram + c * gram @ gram) @ x
        factors = {"source": max(1, rows / columns) ** 0.5, "thesis": 1.0}
        s = factors.get(point["scaling"], 0.2 * max(rows, columns) ** 0.5)
        eta, decay = point["learning_rate"], point["weight_decay"]
        after: Array = (1 - eta * decay) * w - eta * s * x.reshape(w.shape)
        return after

    return {name: value for name, value in textbook_steps(update).items() if name in HIDDEN}


@pytest.mark.parametrize("form", FORMS)
def test_torch_agrees_with_the_textbook(form: Point, measure: Measure) -> None:
    changes = {**form, "matmul_dtype": "float32"}
    problem = torch_problem()
    ours = torch_steps(torch_optimizer("muon", problem, **changes), problem)
    assert measure(largest_error(textbook(default_point("muon", **changes)), ours)) < 1e-5


@pytest.mark.parametrize("form", nightly_but(FORMS[:1], FORMS))
def test_jax_agrees_with_torch(form: Point, measure: Measure) -> None:
    changes = {**form, "matmul_dtype": "float32"}
    problem = torch_problem()
    ours = torch_steps(torch_optimizer("muon", problem, **changes), problem)
    theirs = optax_steps(optax_transformation("muon", **changes))
    assert measure(largest_error(ours, theirs)) < 1e-5


def test_bfloat16_agrees_with_torch_optim() -> None:
    weight = torch.nn.Parameter(of_condition(40, 12, 10.0, seed=5))
    other = torch.nn.Parameter(weight.detach().clone())
    ours = Muon([weight], lr=0.02, weight_decay=0.1, matmul_dtype="bfloat16", **FROBENIUS)
    theirs = torch.optim.Muon([other], lr=0.02, weight_decay=0.1)
    for step in range(20):
        weight.grad = other.grad = torch.from_numpy(gradients(step)["tall"])
        ours.step()
        theirs.step()
    # Both round to 8 bits in another order: a step of rate 0.02 may differ by some 2 % of an entry.
    assert float((weight - other).detach().abs().max()) < 20 * 0.02 * 0.02


def test_fused_matrices_are_orthogonalised_one_by_one() -> None:
    weight = torch.nn.Parameter(torch.zeros(12, 8))
    weight.grad = torch.from_numpy(gradients(0)["square"][:12, :8].copy())
    Muon([weight], lr=1.0, splits=[(8, 4)], matmul_dtype="float32", scaling="thesis").step()
    sign = partial(newton_schulz, dtype=torch.float32)
    expected = torch.cat([sign(part[None])[0] for part in weight.grad.split([8, 4])])
    torch.testing.assert_close(weight.detach(), -expected, atol=1e-5, rtol=0.0)


def test_one_large_singular_value_in_half_precision_stays_in_the_band() -> None:
    random = torch.Generator().manual_seed(0)
    column, row = (torch.randn(40, *s, generator=random) for s in ((512, 1), (1, 128)))
    stack = column @ row + 0.1 * torch.randn(40, 512, 128, generator=random)
    signs = newton_schulz(stack, dtype=torch.bfloat16)
    assert torch.linalg.matrix_norm(signs.float(), 2).max() < 1.2


def test_polar_express_has_room_above_the_largest_singular_value() -> None:
    x = np.linspace(0.0028, 1.018, 10_000)
    for a, b, c in iterations("polar_express", 4):
        x = a * x + b * x**3 + c * x**5
    assert x.min() > 0.71
    assert x.max() < 1.17
