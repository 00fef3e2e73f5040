"""Wrappers of any optimizer, in both frameworks: averages, clipping, parametrisation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError, UnknownNameError
from tests.frameworks.kit import Kit, plain

SGD = {"torch": "torch.optim:SGD", "jax": "optax:sgd"}
ADAM = {"torch": "torch.optim:Adam", "jax": "optax:adam"}
POINT = {"learning_rate": 0.1}


def iterates(kit: Kit, steps: int) -> list[dict[str, np.ndarray]]:
    """What the plain submission has after each step, its start first."""
    submission, stream = kit.submission(SGD[kit.framework], **POINT), kit.stream()
    path = [{n: plain(v).copy() for n, v in submission.eval_parameters().items()}]
    for _ in range(steps):
        submission.step(stream)
        path.append({n: plain(v).copy() for n, v in submission.eval_parameters().items()})
    return path


def evaluate_after(kit: Kit, steps: int, **point: object) -> dict[str, np.ndarray]:
    submission, stream = kit.submission(SGD[kit.framework], **POINT, **point), kit.stream()
    for _ in range(steps):
        submission.step(stream)
    assert submission.averages_weights
    return {n: plain(v).copy() for n, v in submission.eval_parameters().items()}


@pytest.mark.system
@pytest.mark.parametrize("every", [1, 3])
def test_ema_agrees_with_torchs(kit: Kit, every: int) -> None:
    average = evaluate_after(kit, 21, average="ema", average_decay=0.9, average_every=every)
    path = iterates(Kit(kit.framework), 21)
    model = torch.nn.ParameterDict(
        {n.replace(".", "_"): torch.zeros(v.shape) for n, v in path[0].items()}
    )
    theirs = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    )
    for step in range(every, 22, every):
        with torch.no_grad():
            for name, value in path[step].items():
                model[name.replace(".", "_")].copy_(torch.from_numpy(value))
        theirs.update_parameters(model)
    averaged: Any = theirs.module
    for name, value in average.items():
        expected = averaged[name.replace(".", "_")].detach().numpy()
        np.testing.assert_allclose(value, expected, atol=1e-6)


@pytest.mark.parametrize("start", [0, 5])
def test_bema_agrees_with_the_algorithm_box(kit: Kit, start: int) -> None:
    average = evaluate_after(kit, 25, average="bema", average_start=start, average_lag=2.0)
    path = iterates(Kit(kit.framework), 25)
    for name, value in average.items():
        begin = mean = path[start][name].astype(np.float64)
        for t in range(1, 26 - start):
            beta = (2.0 + t) ** -0.5
            mean = (1 - beta) * mean + beta * path[start + t][name]
        expected = mean + (2.0 + 25 - start) ** -0.2 * (path[25][name] - begin)
        np.testing.assert_allclose(value, expected, atol=1e-6)


def test_before_an_average_starts_the_live_parameters_are_evaluated(kit: Kit) -> None:
    average = evaluate_after(kit, 5, average="ema", average_start=9)
    expected = iterates(Kit(kit.framework), 5)[5]
    assert all((average[name] == expected[name]).all() for name in expected)


def test_an_averages_state_is_restored_bit_for_bit(kit: Kit) -> None:
    point = {**POINT, "average": "bema", "clip": 0.5, "parametrisation": "absolute_mup_sgd"}
    whole, stream = kit.submission(SGD[kit.framework], **point), kit.stream()
    for _ in range(5):
        whole.step(stream)
    again = Kit(kit.framework)
    resumed, copied = again.submission(SGD[kit.framework], **point), again.stream()
    resumed.load_state_dict(_copy(whole.state_dict()))
    for _ in range(5):
        whole.step(stream)
        copied.next()
    for _ in range(5):
        resumed.step(copied)
    for name, value in whole.eval_parameters().items():
        np.testing.assert_array_equal(plain(value), plain(resumed.eval_parameters()[name]))


def _copy(state: object) -> object:
    if isinstance(state, torch.Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {key: _copy(value) for key, value in state.items()}
    return [_copy(value) for value in state] if isinstance(state, list) else state


def norm(after: dict[str, np.ndarray], before: dict[str, np.ndarray]) -> float:
    return float(np.sqrt(sum(((after[n] - before[n]) ** 2).sum() for n in after)))


@pytest.mark.parametrize(("clip", "is_active"), [(1e-3, True), (1e3, False)])
def test_clipping_bounds_the_global_norm(kit: Kit, clip: float, is_active: bool) -> None:
    before, plain_step = iterates(kit, 1)
    other = Kit(kit.framework)
    submission = other.submission(SGD[kit.framework], **POINT, clip=clip)
    submission.step(other.stream())
    after = {n: plain(v) for n, v in submission.eval_parameters().items()}
    if is_active:
        assert norm(after, before) == pytest.approx(0.1 * clip, rel=1e-2)
        cosine = sum(((after[n] - before[n]) * (plain_step[n] - before[n])).sum() for n in after)
        assert cosine / norm(after, before) / norm(plain_step, before) > 0.999
    else:
        assert norm(after, plain_step) < 1e-6


@pytest.mark.system
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_a_parametrisations_first_step_has_its_factors(kit: Kit, rule: str) -> None:
    location = {"sgd": SGD, "adam": ADAM}[rule][kit.framework]
    point = {**POINT, "parametrisation": f"absolute_mup_{rule}"}
    started = kit.submission(location, **point)
    start = {n: plain(v).copy() for n, v in started.eval_parameters().items()}
    gradients = {n: plain(g) for n, g in _gradients(kit).items()}
    started.step(kit.stream())
    deviation = start["output.weight"].std()
    assert deviation == pytest.approx(1 / 7, rel=0.3)
    factors = {"hidden_2.weight": (1 / 8, 7 / 8), "output.weight": (1 / 7, 1 / 7)}
    for name, (adam, sgd) in factors.items():
        step = plain(started.eval_parameters()[name]) - start[name]
        expected = np.sign(gradients[name]) * adam if rule == "adam" else gradients[name] * sgd
        np.testing.assert_allclose(step, -0.1 * expected, rtol=2e-3, atol=1e-6)


def _gradients(kit: Kit) -> Mapping[str, object]:
    problem, batch = kit.problem, kit.batch()
    if kit.framework == "jax":
        result: Mapping[str, object] = problem.value_and_grad(problem.parameters, batch)[1]
        return result
    loss = problem.batch_loss(batch)
    gradients = torch.autograd.grad(loss, list(problem.parameters.values()))
    return dict(zip(problem.parameters, gradients, strict=True))


CLASS = """
    class Submission:
        def setup(self, problem, hyperparameters):
            self.start = {n: v + 0 for n, v in problem.parameters.items()}

        def step(self, stream):
            return None

        def eval_parameters(self):
            return self.start

"""


def at(folder: Path, code: str = CLASS) -> Path:
    for file in ("submission.py", "submission_jax.py"):
        (folder / file).write_text(dedent(code))
    return folder


@pytest.mark.parametrize(
    ("point", "message"),
    [({"clip": 1.0}, "clip is set"), ({"parametrisation": "mup_kfac"}, "parametrisation is mup_k")],
)
def test_what_a_class_must_do_itself_is_refused(
    kit: Kit, tmp_path: Path, point: dict[str, object], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        kit.submission(at(tmp_path), **point)


def test_a_class_gets_the_start_of_a_rule_that_it_names(kit: Kit, tmp_path: Path) -> None:
    before = kit.backend.export(kit.problem.parameters)
    folder = at(tmp_path, CLASS + '        parametrisation_rules = ("kfac",)')
    start = kit.submission(folder, parametrisation="absolute_mup_kfac").eval_parameters()
    ratio = plain(start["output.weight"]) / before["output.weight"]
    np.testing.assert_allclose(ratio, (1 / 7) / (1 / np.sqrt(3 * 7)), rtol=1e-5)


@pytest.mark.parametrize("rules", ["()", '("sgd",)'])
def test_a_rule_that_a_build_does_not_name_is_refused(kit: Kit, tmp_path: Path, rules: str) -> None:
    folder = at(tmp_path, f"PARAMETRISATION_RULES = {rules}\nbuild = None")
    with pytest.raises(HarnessError, match="mup_shampoo, and its rule does not describe"):
        kit.submission(folder, parametrisation="mup_shampoo")


@pytest.mark.parametrize(
    "point", [{"average": "emma"}, {"parametrisation": "mup"}, {"parametrisation": "mup_lion"}]
)
def test_unknown_names_are_refused(kit: Kit, point: dict[str, object]) -> None:
    with pytest.raises(UnknownNameError, match=r"average|parametrisation"):
        kit.submission(SGD[kit.framework], **POINT, **point)


@pytest.mark.parametrize(
    "point", [{"average": "ema", "average_decay": 1.0}, {"average": "ema", "average_every": 0}]
)
def test_averages_out_of_range_are_refused(kit: Kit, point: dict[str, object]) -> None:
    with pytest.raises(HarnessError, match="average_"):
        kit.submission(SGD[kit.framework], **POINT, **point)
