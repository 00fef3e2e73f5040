"""Dual averaging, MDA, SignSGD, LARS: what defines each, and twenty steps of others' code."""

from __future__ import annotations

import numpy as np
import optax
import pytest
import pytorch_optimizer
import torch

from submissions.common.optimizers import State
from submissions.dual_averaging.submission import DualAveraging
from submissions.lars.submission import Lars
from submissions.mda.submission import Mda
from submissions.signsgd.submission import SignSgd

from .conftest import Measure
from .given_problem import (
    SHAPES,
    Array,
    default_point,
    draw,
    gradients,
    largest_error,
    optax_steps,
    textbook_steps,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

WEIGHTS = [name for name, (shape, _) in SHAPES.items() if len(shape) > 1]


def test_mda_agrees_with_the_algorithm_box(measure: Measure) -> None:
    point = default_point("mda", learning_rate=0.5, weight_decay=0.1)
    starts, sums = draw(0), dict.fromkeys(SHAPES, 0.0)

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        sums[name] = sums[name] + 0.5 * t**0.5 * (g + 0.1 * w)
        z = starts[name].astype(np.float64) - sums[name] / t**0.5
        after: Array = point["momentum"] * w + (1 - point["momentum"]) * z
        return after

    problem = torch_problem()
    ours = torch_steps(torch_optimizer("mda", problem, **point), problem)
    assert measure(largest_error(ours, textbook_steps(update))) < 2e-6


def test_mda_without_momentum_is_sgd_with_a_fading_pull_to_the_start() -> None:
    rate, problem, starts = 0.5, torch_problem(), draw(0)
    ours = torch_steps(Mda(problem.parameters.values(), lr=rate, momentum=0.0), problem)
    sgd_problem = torch_problem()
    sgd = torch.optim.SGD(sgd_problem.parameters.values(), lr=rate)
    for k in range(20):
        pull = (1 - (k / (k + 1)) ** 0.5) / rate
        for name, value in sgd_problem.parameters.items():
            way = value.detach() - torch.from_numpy(starts[name])
            value.grad = torch.from_numpy(gradients(k)[name]) + pull * way
        sgd.step()
    theirs = {name: value.detach().numpy() for name, value in sgd_problem.parameters.items()}
    assert largest_error(ours, theirs) < 2e-6


def test_dual_averaging_is_the_minimiser_of_its_definition(measure: Measure) -> None:
    """<gbar_t, w> + ||w - w_1||^2 / (2 alpha_t), of which the gradient is zero there."""
    problem, eta = torch_problem(torch.float64), 0.7
    point = default_point("dual_averaging", learning_rate=eta, weight_decay=0.1)
    mean: State = dict.fromkeys(SHAPES, 0.0)

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        mean[name] = mean[name] + (g + 0.1 * w - mean[name]) / t
        after: Array = draw(0)[name].astype(np.float64) - eta * t**0.5 * mean[name]
        return after

    ours = torch_steps(torch_optimizer("dual_averaging", problem, **point), problem)
    assert measure(largest_error(ours, textbook_steps(update))) < 1e-12


def test_dual_averaging_forgets_nothing_and_a_late_gradient_counts_as_an_early_one() -> None:
    """Exchanged gradients lead to the same point."""
    ends = []
    for order in (range(20), reversed(range(20))):
        weight = torch.nn.Parameter(torch.from_numpy(draw(0)["tall"]).double())
        optimizer = DualAveraging([weight], lr=0.5)
        for step in order:
            weight.grad = torch.from_numpy(gradients(step)["tall"]).double()
            optimizer.step()
        ends.append(weight.detach())
    torch.testing.assert_close(ends[0], ends[1])


def test_signsgd_agrees_with_pytorch_optimizer(measure: Measure) -> None:
    problem, other = torch_problem(), torch_problem()
    ours = SignSgd(problem.parameters.values(), lr=0.01, momentum=0.9, weight_decay=0.1)
    theirs = pytorch_optimizer.SignSGD(
        list(other.parameters.values()), lr=0.01, momentum=0.9, weight_decay=0.1
    )
    assert theirs.param_groups[0]["weight_decouple"]
    assert measure(largest_error(torch_steps(ours, problem), torch_steps(theirs, other))) < 1e-6


def test_signsgd_moves_every_entry_by_the_rate_whatever_the_gradients_scale() -> None:
    problem, scaled = torch_problem(), torch_problem()
    ours = SignSgd(problem.parameters.values(), lr=0.01)
    after = torch_steps(ours, problem, range(1))
    for name, value in after.items():
        np.testing.assert_allclose(np.abs(value - draw(0)[name]), 0.01, rtol=1e-4)
    other = SignSgd(scaled.parameters.values(), lr=0.01)
    for name, value in scaled.parameters.items():
        value.grad = 1e3 * torch.from_numpy(gradients(0)[name])
    other.step()
    assert largest_error(after, {n: v.detach().numpy() for n, v in scaled.parameters.items()}) == 0


def test_signsgd_by_dual_norm_is_the_minimiser_of_theorem_4_1(measure: Measure) -> None:
    """<g, d> + max |d|^2 / (2 eta), at steps as long as its eta times the l1 norm, and its sign."""
    problem, eta = torch_problem(torch.float64), 1e-4
    point = default_point("signsgd", momentum=0.0, weight_decay=0.0, learning_rate=eta)
    ours = torch_steps(
        torch_optimizer("signsgd", problem, **point | {"size": "dual_norm"}), problem
    )
    expected = {name: value.astype(np.float64) for name, value in draw(0).items()}
    for step in range(20):
        step_gradients = gradients(step)
        length = eta * sum(np.abs(g.astype(np.float64)).sum() for g in step_gradients.values())
        for name, g in step_gradients.items():
            expected[name] = expected[name] - length * np.sign(g)
    assert measure(largest_error(ours, expected)) < 1e-12


def test_lars_without_decay_agrees_with_optax() -> None:
    point = default_point("lars", weight_decay=0.0)
    problem = torch_problem()
    ours = torch_steps(torch_optimizer("lars", problem, **point), problem)
    scaled = {name: name in WEIGHTS for name in SHAPES}
    oracle = optax.lars(
        point["learning_rate"], 0.0, trust_coefficient=point["trust"], trust_ratio_mask=scaled
    )
    assert largest_error(ours, optax_steps(oracle)) < 1e-5


def test_lars_with_decay_agrees_with_pytorch_optimizer(measure: Measure) -> None:
    problem, other = torch_problem(), torch_problem()
    point = default_point("lars", weight_decay=0.1)
    ours = torch_steps(torch_optimizer("lars", problem, **point), problem)
    theirs = pytorch_optimizer.LARS(
        list(other.parameters.values()),
        lr=point["learning_rate"],
        weight_decay=0.1,
        trust_coefficient=point["trust"],
    )
    assert measure(largest_error(ours, torch_steps(theirs, other))) < 1e-5


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_lars_first_step_is_a_fraction_of_the_weights_norm(scale: float) -> None:
    weight = torch.nn.Parameter(torch.from_numpy(draw(0)["tall"]))
    before = weight.detach().clone()
    weight.grad = scale * torch.from_numpy(gradients(0)["tall"])
    Lars([weight], lr=2.0, trust=0.01).step()
    assert (weight.detach() - before).norm() / before.norm() == pytest.approx(0.02, rel=1e-4)
