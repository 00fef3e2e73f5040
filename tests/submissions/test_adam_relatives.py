"""Lion, AdEMAMix, MARS, ADOPT, LAMB, Adafactor: others' code in float64, and what each is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import pytorch_optimizer
import torch

from submissions.common.optimizers import State

from .conftest import Measure
from .given_problem import (
    SHAPES,
    Array,
    BareProblem,
    Point,
    default_point,
    draw,
    gradients,
    largest_error,
    optax_steps,
    optax_transformation,
    textbook_steps,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

Oracle = Callable[[list[torch.Tensor]], torch.optim.Optimizer]
RELATIVES = ("lion", "ademamix", "mars", "adopt", "lamb", "adafactor")
DECAY = 0.1


def against(name: str, oracle: Oracle, scale: float = 1.0, **changes: object) -> float:
    """The largest difference after twenty steps in float64."""
    problem, other = (torch_problem(torch.float64) for _ in range(2))
    ours = torch_optimizer(name, problem, weight_decay=DECAY, **changes)
    theirs = oracle(list(other.parameters.values()))
    actual = torch_steps(ours, problem, scale=scale)
    return largest_error(actual, torch_steps(theirs, other, scale=scale))


def test_lion_agrees_with_pytorch_optimizer(measure: Measure) -> None:
    def oracle(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
        return pytorch_optimizer.Lion(parameters, lr=0.01, betas=(0.9, 0.99), weight_decay=DECAY)

    assert measure(against("lion", oracle, learning_rate=0.01)) < 1e-12


@pytest.mark.parametrize(("warmup", "bound"), [(0, 1e-12), (10, 1e-6)])
def test_ademamix_agrees_with_pytorch_optimizer(
    warmup: int, bound: float, measure: Measure
) -> None:
    """Which writes the half-life's warmup without the offset of 1e-8 in the source's logarithm."""

    def oracle(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
        settings: Point = {"betas": (0.9, 0.99, 0.999), "weight_decouple": True}
        return pytorch_optimizer.AdEMAMix(
            parameters,
            lr=0.01,
            alpha=5.0,
            weight_decay=DECAY,
            t_alpha_beta3=warmup or None,
            **settings,
        )

    point = {"learning_rate": 0.01, "beta3": 0.999, "alpha": 5.0, "slow_warmup": warmup}
    assert measure(against("ademamix", oracle, **point)) < bound


def mars_of_the_authors(point: Point, scale: float) -> dict[str, Array]:
    """Their code in float64: packages add 1e-15 to the second moment."""
    states: State = {}

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        m, v, last = states.get(name, (0.0, 0.0, 0.0))
        g, prefix = scale * g, "adam_" if g.ndim == 1 else ""
        beta1, beta2 = point[f"{prefix}beta1"], point[f"{prefix}beta2"]
        c = g
        if g.ndim > 1:
            c = g + point["gamma"] * beta1 / (1 - beta1) * (g - last)
            c = c / max(1.0, np.linalg.norm(c))
        m, v = beta1 * m + (1 - beta1) * c, beta2 * v + (1 - beta2) * c**2
        states[name] = m, v, g
        step = m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + point["epsilon"])
        after: Array = w - point["learning_rate"] * (step + point["weight_decay"] * w)
        return after

    return textbook_steps(update)


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_mars_agrees_with_the_authors(scale: float, measure: Measure) -> None:
    """With gradients below and above the norm of 1 at which they are clipped."""
    problem = torch_problem(torch.float64)
    point = default_point("mars", weight_decay=DECAY, gamma=0.05)
    ours = torch_steps(torch_optimizer("mars", problem, **point), problem, scale=scale)
    assert measure(largest_error(ours, mars_of_the_authors(point, scale))) < 1e-12


def test_adopt_agrees_with_pytorch_optimizer(measure: Measure) -> None:
    """Which counts the bound on an entry from the first gradient, the paper from the second."""

    def oracle(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
        return pytorch_optimizer.ADOPT(
            parameters,
            lr=0.01,
            betas=(0.9, 0.99),
            clip_lambda=lambda step: (step - 1) ** 0.25,
            weight_decay=DECAY,
            weight_decouple=True,
        )

    assert measure(against("adopt", oracle, learning_rate=0.01)) < 1e-12


def test_adafactor_agrees_with_torch(measure: Measure) -> None:
    """But for the kernel, of which torch factors the last two dimensions."""
    problem, other = (torch_problem(torch.float64) for _ in range(2))
    for one in (problem, other):
        del one.parameters["kernel"]
    ours = torch_optimizer("adafactor", problem, learning_rate=0.1, weight_decay=DECAY)
    theirs = torch.optim.Adafactor(other.parameters.values(), lr=0.1, weight_decay=DECAY)
    for step in range(20):
        for one, optimizer in ((problem, ours), (other, theirs)):
            for name, value in one.parameters.items():
                value.grad = torch.from_numpy(gradients(step)[name]).double()
            optimizer.step()
    errors = [
        float((value - other.parameters[name]).detach().abs().max())
        for name, value in problem.parameters.items()
    ]
    assert measure(max(errors)) < 1e-12


def lamb_of_the_paper(point: Point) -> dict[str, Array]:
    """Algorithm 2 in float64, vectors without ratio and decay."""
    moments: State = {}

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        m, v = moments.get(name, (0.0, 0.0))
        m = point["beta1"] * m + (1 - point["beta1"]) * g
        v = point["beta2"] * v + (1 - point["beta2"]) * g**2
        moments[name] = m, v
        corrected = m / (1 - point["beta1"] ** t), v / (1 - point["beta2"] ** t)
        r = corrected[0] / (np.sqrt(corrected[1]) + point["epsilon"])
        after: Array
        if g.ndim == 1:
            after = w - point["learning_rate"] * r
            return after
        r = r + point["weight_decay"] * w
        after = w - point["learning_rate"] * np.linalg.norm(w) / np.linalg.norm(r) * r
        return after

    return textbook_steps(update)


def test_lamb_agrees_with_the_paper(measure: Measure) -> None:
    problem = torch_problem(torch.float64)
    point = default_point("lamb", weight_decay=DECAY)
    ours = torch_steps(torch_optimizer("lamb", problem, **point), problem)
    assert measure(largest_error(ours, lamb_of_the_paper(point))) < 1e-12


@pytest.mark.system
@pytest.mark.parametrize("name", RELATIVES)
def test_jax_agrees_with_torch(name: str, measure: Measure) -> None:
    changes = {"slow_warmup": 10} if name == "ademamix" else {}
    problem = torch_problem()
    ours = torch_steps(torch_optimizer(name, problem, **changes), problem, scale=3.0)
    theirs = optax_steps(optax_transformation(name, **changes), scale=3.0)
    assert measure(largest_error(ours, theirs)) < 1e-5


@pytest.mark.parametrize(
    ("name", "changes"), [("ademamix", {"alpha": 0.0}), ("mars", {"gamma": 0.0})]
)
def test_without_its_own_term_it_is_adamw(name: str, changes: Point) -> None:
    problem, other = torch_problem(torch.float64), torch_problem(torch.float64)
    same = {"beta1": 0.9, "beta2": 0.99, "learning_rate": 0.01, "weight_decay": DECAY}
    ours = torch_optimizer(name, problem, adam_beta2=0.99, **same, **changes)
    theirs = torch_optimizer("adamw", other, **same)
    assert largest_error(torch_steps(ours, problem), torch_steps(theirs, other)) < 1e-12


def test_every_entry_moves_by_lions_rate() -> None:
    problem = torch_problem(torch.float64)
    optimizer = torch_optimizer("lion", problem, learning_rate=0.01, weight_decay=0.0)
    after = torch_steps(optimizer, problem, range(1))
    for name, start in draw(0).items():
        np.testing.assert_allclose(np.abs(after[name] - start), 0.01, rtol=1e-9)


def test_adopts_first_gradient_moves_nothing_and_its_second_at_most_the_rate() -> None:
    problem = torch_problem(torch.float64)
    point = {"learning_rate": 0.01, "beta1": 0.0, "weight_decay": 0.0}
    optimizer = torch_optimizer("adopt", problem, **point)
    assert largest_error(torch_steps(optimizer, problem, range(1)), draw(0)) == 0.0
    displacement = largest_error(torch_steps(optimizer, problem, range(1, 2)), draw(0))
    assert displacement == pytest.approx(0.01)


def test_lambs_step_is_the_rate_times_the_weights_norm() -> None:
    problem = torch_problem(torch.float64)
    optimizer = torch_optimizer("lamb", problem, learning_rate=0.01)
    after = torch_steps(optimizer, problem, range(1))
    for name, start in draw(0).items():
        if len(SHAPES[name][0]) > 1:
            displacement = np.linalg.norm(after[name] - start)
            assert displacement == pytest.approx(0.01 * np.linalg.norm(start), rel=1e-6)


def test_adafactor_is_exact_where_squared_gradients_have_rank_one() -> None:
    """V = R C^T / mean(R) is then G^2, and a step the sign of G."""
    rows, columns = np.linspace(1.0, 5.0, 6), np.linspace(0.1, 2.0, 4)
    weight = torch.nn.Parameter(torch.ones(6, 4, dtype=torch.float64))
    weight.grad = torch.from_numpy(np.outer(rows, -columns))
    problem = BareProblem({"square": weight}, {})
    optimizer = torch_optimizer("adafactor", problem, learning_rate=0.1, weight_decay=0.0)
    optimizer.step()
    torch.testing.assert_close(weight.detach(), torch.full_like(weight, 1.1))
    assert sum(v.numel() for v in optimizer.state[weight].values() if torch.is_tensor(v)) == 10
