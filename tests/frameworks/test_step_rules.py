"""Rules for steps around any optimizer: others' code, closed forms, JAX against torch, refusals."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.frameworks.torch.step_wrapper import StepWrapper
from harness.providers.registry import submission_folders
from harness.submission.step_rules import Progress, step_rules
from tests.frameworks.kit import Kit, plain
from tests.submissions.given_problem import Point, default_point, specs

Values = dict[str, np.ndarray]
SGD = {"torch": "torch.optim:SGD", "jax": "optax:sgd"}
RATE, SCHEDULE = 0.1, {"schedule": "linear", "warmup": 0.0, "final_factor": 0.0, "horizon": 1.0}
"""Of the kit's budget the half is spent, so that the schedule's factor is a half."""


def run(kit: Kit, location: str | Path, steps: int, **point: object) -> Values:
    submission, stream = kit.submission(location, **point), kit.stream()
    for _ in range(steps):
        submission.step(stream)
    return {n: plain(value).copy() for n, value in submission.eval_parameters().items()}


def sgd(kit: Kit, steps: int, **point: object) -> Values:
    return run(kit, SGD[kit.framework], steps, learning_rate=RATE, **point)


def starts(framework: str) -> Values:
    return {name: plain(value).copy() for name, value in Kit(framework).problem.parameters.items()}


def assert_equal(left: Values, right: Values) -> None:
    for name, value in left.items():
        np.testing.assert_allclose(value, right[name], rtol=1e-5, atol=1e-6)


def write(folder: Path, build: str) -> Path:
    """A submission whose `build` returns this optimizer of `parameters`."""
    folder.joinpath("submission.py").write_text(
        dedent(f"""
        import pytorch_optimizer, torch
        def build(problem, hyperparameters):
            parameters = list(problem.parameters.values())
            return {build}
        """)
    )
    return folder


def test_cautious_updates_are_those_of_pytorch_optimizer(tmp_path: Path) -> None:
    oracle = write(
        tmp_path,
        "pytorch_optimizer.Lion(parameters, lr=0.01, betas=(0.9, 0.99), cautious=True)",
    )
    changes: dict[str, object] = {
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "schedule": "constant",
    }
    point = default_point("lion", warmup=0.0, **changes)
    ours = run(Kit("torch"), submission_folders()["lion"], 12, cautious_updates=True, **point)
    assert_equal(ours, run(Kit("torch"), oracle, 12))
    plainly = run(Kit("torch"), submission_folders()["lion"], 12, **point)
    assert any(np.abs(ours[name] - plainly[name]).max() > 1e-3 for name in ours)


def test_lookahead_is_that_of_pytorch_optimizer(tmp_path: Path) -> None:
    inner = f"torch.optim.SGD(parameters, lr={RATE}, momentum=0.9)"
    oracle = write(tmp_path, f"pytorch_optimizer.Lookahead({inner}, k=3, alpha=0.4)")
    rules: dict[str, object] = {"lookahead_every": 3, "lookahead_alpha": 0.4, "momentum": 0.9}
    # after whole rounds, where the slow weights, at which the class is evaluated, are the fast ones
    assert_equal(sgd(Kit("torch"), 12, **rules), run(Kit("torch"), oracle, 12))


def test_cautious_decay_acts_where_step_and_weight_agree(kit: Kit) -> None:
    start, values = starts(kit.framework), sgd(Kit(kit.framework), 1)
    decayed = sgd(kit, 1, cautious_decay=0.2)
    for name, w in start.items():
        step = w - values[name]
        expected = w - step - RATE * 0.2 * np.where(step * w >= 0, w, 0.0)
        np.testing.assert_allclose(decayed[name], expected, rtol=0.0, atol=1e-7)


def test_hyperball_takes_the_direction_alone_and_keeps_the_norm(kit: Kit) -> None:
    start, moved = starts(kit.framework), sgd(Kit(kit.framework), 1)
    values = sgd(kit, 1, hyperball=0.3)
    for name, w in start.items():
        expected = moved[name]
        if w.ndim == 2 and "output" not in name:
            norm, step = np.linalg.norm(w), w - moved[name]
            expected = w - 0.3 * norm * step / np.linalg.norm(step)
            expected = expected * norm / np.linalg.norm(expected)
        np.testing.assert_allclose(values[name], expected, rtol=0.0, atol=1e-6)


def test_under_hyperball_the_norm_stays_for_many_steps(kit: Kit) -> None:
    start, after = starts(kit.framework), sgd(kit, 30, hyperball=0.1)
    (name, *_) = [n for n, w in start.items() if w.ndim == 2]
    assert np.linalg.norm(after[name]) == pytest.approx(np.linalg.norm(start[name]), rel=1e-5)
    assert np.abs(after[name] - start[name]).max() > 0.1


@pytest.mark.parametrize("rule", ["hyperball", "update_floor"])
def test_a_step_of_zeros_of_large_weights_stays_one(rule: str) -> None:
    """It has no direction, and what the rule would lengthen it by is infinite."""
    weight = torch.nn.Parameter(torch.full((24, 24), 100.0))
    rules = step_rules({"square": specs()["square"]}, {"learning_rate": 1.0, rule: 0.5})
    assert rules is not None
    wrapper, progress = StepWrapper({"square": weight}, rules), Progress(0.5, 1.0, 1.0)
    wrapper.before_step(progress)
    weight.grad = torch.zeros_like(weight)
    wrapper.after_step(progress)
    torch.testing.assert_close(weight.detach(), torch.full((24, 24), 100.0))


def by_hand(kit: Kit, steps: int, gamma: float, beta: float) -> Values:
    """EMA-Nesterov around gradient descent, written out on the model's own gradients."""
    stream, problem = kit.stream(), kit.problem
    parameters = dict(problem.parameters)
    pace = {name: 0.0 * value.detach() for name, value in parameters.items()}
    for _ in range(steps):
        start = {name: value.detach().clone() for name, value in parameters.items()}
        for name, value in parameters.items():
            value.data.add_(beta * pace[name])
        problem.model.zero_grad()
        problem.batch_loss(stream.next()).backward()
        for name, value in parameters.items():
            value.data.sub_(RATE * value.grad)
            pace[name] = gamma * pace[name] + (1 - gamma) * (value.detach() - start[name])
    return {name: plain(value).copy() for name, value in parameters.items()}


def test_ema_nesterov_takes_gradients_ahead_along_the_average_displacement(kit: Kit) -> None:
    expected = by_hand(Kit("torch"), 12, 0.8, 1.5)
    rules = {"ema_nesterov": 1.5, "ema_nesterov_decay": 0.8}
    assert_equal(sgd(kit, 12, **rules), expected)
    plainly = sgd(Kit("torch"), 12)
    assert any(np.abs(expected[name] - plainly[name]).max() > 1e-2 for name in expected)


@pytest.mark.parametrize("part", [{"ema_nesterov_end": 0.6}, {"ema_nesterov_start": 0.7}])
def test_ema_nesterov_rests_outside_its_part_of_the_horizon(part: dict[str, float]) -> None:
    """Of the kit's budget the half is spent, two thirds of the default horizon."""
    rests = sgd(Kit("torch"), 8, ema_nesterov=1.5, ema_nesterov_decay=0.8, **part)
    assert_equal(rests, sgd(Kit("torch"), 8))


def test_ema_nesterov_follows_the_schedule() -> None:
    plain_sgd = {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    point = default_point("sgd", learning_rate=2 * RATE, **plain_sgd, **SCHEDULE)
    rules = {"ema_nesterov": 3.0, "ema_nesterov_decay": 0.8}
    scheduled = run(Kit("torch"), submission_folders()["sgd"], 12, **point, **rules)
    assert_equal(scheduled, by_hand(Kit("torch"), 12, 0.8, 1.5))


def test_the_floor_lengthens_the_short_steps_of_hidden_matrices(kit: Kit) -> None:
    start, values = starts(kit.framework), sgd(Kit(kit.framework), 1)
    floored = sgd(kit, 1, update_floor=0.5)
    for name, w in start.items():
        step = w - values[name]
        if w.ndim == 2 and "output" not in name:
            least = RATE * 0.5 * np.linalg.norm(w)
            assert np.linalg.norm(step) < least
            step = step * least / np.linalg.norm(step)
        np.testing.assert_allclose(floored[name], w - step, rtol=0.0, atol=1e-6)


def test_a_step_above_the_floor_is_left_alone() -> None:
    assert_equal(sgd(Kit("torch"), 3, update_floor=1e-4), sgd(Kit("torch"), 3))


def stable(cooldown: float, **changes: object) -> Point:
    """A point of sgd at whose half spent budget a cooldown of 1 is half over, one of 0.4 not yet
    begun.
    """
    schedule: dict[str, object] = {"schedule": "warmup_stable_decay", "warmup": 0.0, "horizon": 1.0}
    schedule |= {"final_factor": 0.0, "cooldown": cooldown, **changes}
    return default_point("sgd", momentum=0.0, nesterov=False, weight_decay=0.0, **schedule)


@pytest.mark.system
@pytest.mark.parametrize(("matrices", "rest"), [(1.0, 0.4), (0.4, 1.0)])
def test_matrices_and_the_rest_have_cooldowns_of_their_own(
    kit: Kit, matrices: float, rest: float
) -> None:
    folder = submission_folders()["sgd"]
    parted = run(kit, folder, 1, **stable(matrices, rest_cooldown=rest))
    whole = {c: run(Kit(kit.framework), folder, 1, **stable(c)) for c in (matrices, rest)}
    for name, value in parted.items():
        is_matrix = value.ndim == 2 and "output" not in name
        expected = whole[matrices if is_matrix else rest][name]
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.system
@pytest.mark.parametrize(
    "rules",
    [
        {"cautious_updates": True, "cautious_decay": 0.3},
        {"hyperball": 0.05, "lookahead_every": 4},
        {"cautious_updates": True, "hyperball": 0.05, "clip": 0.5, "parametrisation": "mup_adam"},
        {"ema_nesterov": 0.9, "ema_nesterov_decay": 0.7, "parametrisation": "mup_adam"},
        {"ema_nesterov": 0.9, "update_floor": 0.4, "lookahead_every": 4},
    ],
)
def test_jax_agrees_with_torch_under_a_schedule(rules: dict[str, object]) -> None:
    point = default_point("adamw", weight_decay=0.0, learning_rate=0.01, **SCHEDULE)
    folder = submission_folders()["adamw"]
    ours, theirs = (run(Kit(f), folder, 10, **point, **rules) for f in ("torch", "jax"))
    assert_equal(ours, theirs)


@pytest.mark.system
def test_a_state_is_restored_bit_for_bit(kit: Kit) -> None:
    rules: dict[str, object] = {"cautious_updates": True, "lookahead_every": 4, "ema_nesterov": 0.5}
    whole = sgd(Kit(kit.framework), 12, momentum=0.9, **rules)
    point = {"learning_rate": RATE, "momentum": 0.9, **rules}
    first, stream = kit.submission(SGD[kit.framework], **point), kit.stream()
    for _ in range(6):
        first.step(stream)
    resumed = Kit(kit.framework).submission(SGD[kit.framework], **point)
    resumed.load_state_dict(first.state_dict())
    for _ in range(6):
        resumed.step(stream)
    for name, value in resumed.eval_parameters().items():
        np.testing.assert_array_equal(plain(value), whole[name])


@pytest.mark.parametrize("name", ["mda", "dual_averaging", "schedule_free_adamw", "lbfgs"])
def test_a_method_that_keeps_its_own_iterates_refuses_them(name: str) -> None:
    point = default_point(name, hyperball=0.1)
    with pytest.raises(HarnessError, match="hyperball is set"):
        Kit("torch").submission(submission_folders()[name], **point)


@pytest.mark.parametrize("name", ["dual_averaging", "schedule_free_adamw"])
def test_in_jax_it_refuses_them_too(name: str) -> None:
    point = default_point(name, cautious_updates=True)
    with pytest.raises(HarnessError, match="cautious_updates is set"):
        Kit("jax").submission(submission_folders()[name], **point)


@pytest.mark.parametrize(
    "rules",
    [
        {"hyperball": -1.0},
        {"update_floor": -0.1},
        {"lookahead_every": 2.5},
        {"lookahead_every": 2, "lookahead_alpha": 0.0},
        {"ema_nesterov": 0.5, "ema_nesterov_decay": 1.0},
    ],
)
def test_a_value_out_of_its_range_is_refused(kit: Kit, rules: dict[str, object]) -> None:
    with pytest.raises(HarnessError, match="allowed"):
        sgd(kit, 1, **rules)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"hyperball": 0.1, "ema_nesterov": 0.5}, "leaves the weights' sphere"),
        ({"rest_cooldown": 0.4}, "no cooldown"),
        ({"ema_nesterov": 0.5, "ema_nesterov_start": 0.9, "ema_nesterov_end": 0.3}, "start < end"),
    ],
)
def test_rules_that_do_not_go_together_are_refused(
    kit: Kit, point: dict[str, object], message: str
) -> None:
    with pytest.raises(HarnessError) as error:
        sgd(kit, 1, **point)
    assert message in str(error.value)


def test_a_separate_cooldown_is_refused_where_a_class_makes_its_own_steps() -> None:
    changes = {"schedule": "warmup_stable_decay", "cooldown": 0.8, "rest_cooldown": 0.4}
    with pytest.raises(HarnessError, match="rest_cooldown is set"):
        Kit("torch").submission(submission_folders()["kfac"], **default_point("kfac", **changes))
