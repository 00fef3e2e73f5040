"""AdaGrad, RMSProp, Adam, AdamS, SWATS, D-Adaptation against others' code, and what each is."""

from __future__ import annotations

import math

import dadaptation
import numpy as np
import optax
import pytest
import pytorch_optimizer
import torch

from harness.providers.registry import submission_folders
from submissions.adams.submission import AdamS
from submissions.d_adaptation.optimizer import DAdaptAdam
from submissions.swats.optimizer import PlateauSwats, Swats
from tests.frameworks.kit import Kit

from .conftest import Measure
from .given_problem import (
    BareProblem,
    Point,
    default_point,
    draw,
    gradients,
    largest_error,
    optax_steps,
    torch_optimizer,
    torch_problem,
    torch_steps,
)


def oracle(name: str) -> optax.GradientTransformation:
    point = default_point(name)
    rate, eps = point["learning_rate"], point["epsilon"]
    if name == "adagrad":
        # Optax has epsilon under the root: both are made negligible.
        return optax.adagrad(rate, point["initial_accumulator"], 1e-20)
    if name == "rmsprop":
        return optax.rmsprop(rate, point["beta"], eps, eps_in_sqrt=False)
    return optax.adam(rate, point["beta1"], point["beta2"], eps)


@pytest.mark.parametrize("name", ["adagrad", "rmsprop", "adam"])
def test_agrees_with_optax(name: str, measure: Measure) -> None:
    problem = torch_problem()
    changes = {"epsilon": 1e-20} if name == "adagrad" else {}
    ours = torch_steps(torch_optimizer(name, problem, **changes), problem)
    assert measure(largest_error(ours, optax_steps(oracle(name)))) < 1e-5


def steps_from(name: str, factors: list[float], **changes: object) -> list[np.ndarray]:
    """The moves of one weight whose gradient is 1 times each factor."""
    weight = torch.nn.Parameter(torch.zeros(1, 1))
    problem = BareProblem({"square": weight}, {})
    optimizer = torch_optimizer(name, problem, **changes)
    moves = []
    for factor in factors:
        before = weight.detach().clone()
        weight.grad = torch.full((1, 1), factor)
        optimizer.step()
        moves.append((weight.detach() - before).numpy().copy())
    return moves


def test_adagrads_steps_fall_as_the_root_of_their_number() -> None:
    moves = steps_from("adagrad", [3.0] * 100)
    np.testing.assert_allclose(moves[99] / moves[0], 0.1, rtol=1e-3)


def test_rmsprops_steps_do_not_fall() -> None:
    moves = steps_from("rmsprop", [3.0] * 400, beta=0.9)
    np.testing.assert_allclose(moves[399] / moves[200], 1.0, rtol=1e-3)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_adams_first_step_is_the_rate_whatever_the_gradients_scale(scale: float) -> None:
    (move,) = steps_from("adam", [scale])
    np.testing.assert_allclose(move, -default_point("adam")["learning_rate"], rtol=1e-4)


def test_adams_decay_is_an_l2_penalty() -> None:
    plain, penalised = torch_problem(), torch_problem()
    for value in plain.parameters.values():
        value.grad = 0.1 * value.detach()
    for value in penalised.parameters.values():
        value.grad = torch.zeros_like(value)
    torch_optimizer("adam", plain).step()
    torch_optimizer("adam", penalised, weight_decay=0.1).step()
    for name, value in plain.parameters.items():
        torch.testing.assert_close(value, penalised.parameters[name], atol=1e-7, rtol=0.0)


def test_adams_with_stable_decay_agrees_with_pytorch_optimizer(measure: Measure) -> None:
    problem, other = torch_problem(), torch_problem()
    settings: Point = {"lr": 0.01, "betas": (0.9, 0.95), "eps": 1e-8}
    ours = AdamS(list(problem.parameters.values()), weight_decay=0.01, fused=True, **settings)
    theirs = pytorch_optimizer.AdamS(
        list(other.parameters.values()), weight_decay=0.01, weight_decouple=True, **settings
    )
    assert measure(largest_error(torch_steps(ours, problem), torch_steps(theirs, other))) < 1e-5


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_stable_decay_is_divided_by_the_gradients_root_mean_square(scale: float) -> None:
    values: list[torch.Tensor] = [
        torch.nn.Parameter(torch.ones(4, 3)),
        torch.nn.Parameter(torch.ones(5)),
    ]
    for value, size in zip(values, (1.0, 2.0), strict=True):
        value.grad = torch.full_like(value, scale * size)
    ours = AdamS(values, lr=1.0, weight_decay=1e-3 * scale, eps=1e-12)
    ours.step()
    decay = 1.0 - 1e-3 / ((12 * 1.0 + 5 * 4.0) / 17) ** 0.5
    torch.testing.assert_close(values[0].detach() + 1.0, torch.full((4, 3), decay))


def test_swats_is_adam_before_the_switch_and_sgd_after_it() -> None:
    problem, other = torch_problem(), torch_problem()
    ours = Swats(problem.parameters.values(), lr=0.01, eps=1e-12, switch_tolerance=0.0)
    adam = torch.optim.Adam(other.parameters.values(), lr=0.01, eps=1e-12)
    assert largest_error(torch_steps(ours, problem), torch_steps(adam, other)) < 1e-6
    group = ours.param_groups[0]
    assert group["sgd_rate"] == 0.0
    group["switch_tolerance"] = np.inf
    torch_steps(ours, problem, range(20, 21))
    rate = group["sgd_rate"]
    assert 0.0 < rate < np.inf
    copies = {n: torch.nn.Parameter(p.detach().clone()) for n, p in problem.parameters.items()}
    sgd = torch.optim.SGD(copies.values(), lr=0.1 * rate, momentum=0.9)
    theirs = torch_steps(sgd, BareProblem(copies, {}), range(21, 41))
    assert largest_error(torch_steps(ours, problem, range(21, 41)), theirs) < 1e-5


def test_swats_switches_at_a_fraction_of_the_budget_to_a_given_rate() -> None:
    problem, spent = torch_problem(), [0.0]
    ours = Swats(problem.parameters.values(), lr=0.01, switch_at=0.5, sgd_lr=0.2,
                 switch_tolerance=np.inf, budget_fraction=lambda: spent[0])  # fmt: skip
    torch_steps(ours, problem)
    assert ours.param_groups[0]["sgd_rate"] == 0.0
    spent[0] = 0.5
    torch_steps(ours, problem, range(20, 21))
    assert ours.param_groups[0]["sgd_rate"] == 0.2


LOSSES = [*(2.0 / (1 + t) + 0.1 for t in range(12)), *([0.26] * 100)]


@pytest.mark.parametrize("patience", [1, 5, 10])
def test_swats_switches_where_torchs_plateau_scheduler_lowers_the_rate(patience: int) -> None:
    """Both see the running mean of the same losses, which fall and then stay."""
    weight = torch.nn.Parameter(torch.zeros(3))
    ours = PlateauSwats([weight], lr=0.01, plateau_steps=patience, sgd_lr=0.2)
    other = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(other, patience=patience)
    mean, switched, lowered = 0.0, [], []
    for t, loss in enumerate(LOSSES):

        def closure(loss: float = loss) -> torch.Tensor:
            weight.grad = torch.ones(3)
            return torch.tensor(loss, dtype=torch.float64)

        assert float(ours.step(closure)) == loss
        mean = 0.9 * mean + 0.1 * loss
        scheduler.step(mean / (1 - 0.9 ** (t + 1)))
        switched.append(ours.param_groups[0]["sgd_rate"] == 0.2)
        lowered.append(other.param_groups[0]["lr"] < 1.0)
    assert switched == lowered
    assert switched.index(True) > patience


def test_swats_by_plateau_trains_a_model_whose_loss_it_is_given() -> None:
    kit = Kit("torch")
    folder = submission_folders()["swats"]
    point = default_point("swats", plateau_steps=3, learning_rate=1e-6, sgd_learning_rate=0.1)
    ours, stream = kit.submission(folder, **point), kit.stream()
    for _ in range(60):
        ours.step(stream)
    assert ours.state_dict()["optimizer"]["param_groups"][0]["sgd_rate"] == 0.1


def swats_rates(optimizer: torch.optim.Optimizer, key: str) -> list[tuple[np.ndarray, float]]:
    """Thirty steps of one weight; from the tenth on its gradient stays, and gamma settles."""
    weight = torch.nn.Parameter(torch.from_numpy(draw(0)["tall"]).double())
    optimizer.param_groups[0]["params"] = [weight]
    path = []
    for step in range(30):
        weight.grad = torch.from_numpy(gradients(min(step, 9))["tall"]).double()
        optimizer.step()
        path.append((weight.detach().numpy().copy(), float(optimizer.param_groups[0][key])))
    return path


def test_swats_switches_when_pytorch_optimizers_does(measure: Measure) -> None:
    weights = [torch.nn.Parameter(torch.zeros(1))]
    theirs = swats_rates(
        pytorch_optimizer.SWATS(weights, lr=0.01, betas=(0.5, 0.6), eps=1e-3, foreach=False), "lr"
    )
    (switch,) = {i for i in range(1, 30) if theirs[i][1] != theirs[i - 1][1]}
    # Its tolerance is relative, 1e-3 times gamma; ours absolute, so gamma's final value is needed.
    ours = swats_rates(
        Swats(weights, lr=0.01, betas=(0.5, 0.6), eps=1e-3, switch_tolerance=1e-3 * theirs[29][1]),
        "sgd_rate",
    )
    assert 10 < switch < 29
    assert next(i for i in range(30) if ours[i][1] > 0) == switch
    assert ours[29][1] == pytest.approx(theirs[29][1], rel=1e-6)
    for mine, other in zip(ours, theirs, strict=True):
        assert measure(float(np.abs(mine[0] - other[0]).max())) < 1e-6


@pytest.mark.parametrize("factors", [[1.0] * 20, [t / 1000 for t in range(20)]])
def test_swats_rate_of_sgd_is_that_of_the_base_rate_whatever_the_schedule(
    factors: list[float],
) -> None:
    problem, other = torch_problem(), torch_problem()
    scheduled = torch_optimizer("swats", problem)
    constant = torch_optimizer("swats", other, switch_tolerance=0.0)
    for step, factor in enumerate(factors):
        scheduled.param_groups[0]["lr"] = default_point("swats")["learning_rate"] * factor
        torch_steps(scheduled, problem, range(step, step + 1))
        torch_steps(constant, other, range(step, step + 1))
    group = scheduled.param_groups[0]
    assert group["sgd_rate"] == 0.0
    assert group["average"] == pytest.approx(constant.param_groups[0]["average"])


@pytest.mark.parametrize(("bias_correction", "growth"), [(False, 1.5), (True, math.inf)])
def test_d_adaptation_agrees_with_the_authors(
    bias_correction: bool, growth: float, measure: Measure
) -> None:
    problem, other = torch_problem(), torch_problem()
    settings: Point = {"betas": (0.9, 0.99), "weight_decay": 0.1}
    # From 1e-6 the first steps would drown in the rounding of float32 parameters.
    ours = DAdaptAdam(
        problem.parameters.values(),
        first_estimate=1e-3,
        growth=growth,
        bias_correction=bias_correction,
        **settings,
    )
    theirs = dadaptation.DAdaptAdam(
        other.parameters.values(),
        decouple=True,
        d0=1e-3,
        growth_rate=growth,
        use_bias_correction=bias_correction,
        **settings,
    )
    for optimizer, one in ((ours, problem), (theirs, other)):
        torch_steps(optimizer, one, range(3), scale=0.0)
    actual, expected = torch_steps(ours, problem), torch_steps(theirs, other)
    estimate = ours.param_groups[0]["estimate"]
    assert estimate > 1.0
    assert estimate == pytest.approx(theirs.param_groups[0]["d"], rel=1e-5)
    assert measure(largest_error(actual, expected)) < 1e-5


def test_the_estimate_finds_the_distance_from_any_start() -> None:
    weight = torch.nn.Parameter(torch.full((8,), 3.0))
    ours = DAdaptAdam([weight], first_estimate=1e-6, bias_correction=True)
    estimates = []
    for _ in range(300):
        weight.grad = weight.detach().sign()
        ours.step()
        estimates.append(ours.param_groups[0]["estimate"])
    assert estimates == sorted(estimates)
    # The distance in the norm that Adam's step is measured with is 3 an entry.
    assert 0.3 < estimates[-1] < 30.0
