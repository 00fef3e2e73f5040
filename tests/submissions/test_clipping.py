"""`clip` and `schedule` with submissions that are classes: bounded, scaled, or refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.providers.registry import submission_folders
from submissions.common.clipping import clip_gradients
from tests.frameworks.kit import Kit, plain

from .given_problem import default_point
from .small_problem import DoubleStream, double_kit, submission, values

CLIPPING = (
    "dfw", "ea_sgd", "ekfac", "entropy_sgd", "kfac", "natural_gradient", "sophia_g", "sophia_h",
)  # fmt: skip
SEARCHING = ("cg_bfgs", "hessian_free", "lbfgs")
HALVED = {"schedule": "linear", "warmup": 0.0, "final_factor": 0.0, "horizon": 1.0}
ENDED = HALVED | {"horizon": 0.5}


def two_steps(name: str, **changes: object) -> dict[str, np.ndarray]:
    """Where two steps lead: the second is preconditioned everywhere."""
    kit = Kit("torch")
    instance = kit.submission(submission_folders()[name], **default_point(name, **changes))
    stream = kit.stream()
    instance.step(stream)
    instance.step(stream)
    return {n: plain(value).copy() for n, value in instance.eval_parameters().items()}


def distance(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> float:
    return float(sum(float(((left[n] - right[n]) ** 2).sum()) for n in left) ** 0.5)


def test_gradients_over_the_bound_are_shortened_and_keep_their_direction() -> None:
    long = [torch.full((3, 4), 2.0), torch.ones(4)]
    gradients = clip_gradients(long, 0.5)
    torch.testing.assert_close(
        torch.cat([g.flatten() for g in gradients]).norm(), torch.tensor(0.5)
    )
    torch.testing.assert_close(gradients[0][0, 0] / gradients[1][0], torch.tensor(2.0))
    assert long[1][0] == 1.0
    assert clip_gradients([torch.ones(4)], 10.0)[0][0] == 1.0


@pytest.mark.parametrize("name", CLIPPING)
def test_a_bound_beyond_every_gradient_changes_nothing(name: str) -> None:
    assert distance(two_steps(name, clip=1e9), two_steps(name)) == 0.0


@pytest.mark.parametrize("name", CLIPPING)
def test_a_bound_below_the_gradient_changes_the_step(name: str) -> None:
    assert distance(two_steps(name, clip=1e-3), two_steps(name)) > 1e-7


@pytest.mark.parametrize("name", CLIPPING)
def test_a_bound_below_zero_is_refused(name: str) -> None:
    with pytest.raises(HarnessError, match="clip is -1"):
        two_steps(name, clip=-1.0)


@pytest.mark.parametrize("name", SEARCHING)
def test_line_searches_refuse_a_bound_and_say_why(name: str) -> None:
    with pytest.raises(HarnessError, match="searches for the length of a step"):
        two_steps(name, clip=1.0)


def way(name: str, **changes: object) -> torch.Tensor:
    """One step in float64, (n,), half of the budget spent."""
    kit = double_kit()
    before = values(kit)
    submission(name, kit, **changes).step(DoubleStream(kit))
    return values(kit) - before


def test_natural_gradients_step_is_shortened_as_the_gradient_is() -> None:
    point = {"schedule": "constant", "warmup": 0.0, "trust": 1e9, "weight_decay": 0.0}
    long, short, shorter = (way("natural_gradient", **point, clip=c) for c in (0.0, 1e-3, 5e-4))
    torch.testing.assert_close(short, 2 * shorter, rtol=1e-6, atol=1e-12)
    assert float(torch.cosine_similarity(long, short, dim=0)) == pytest.approx(1.0)


@pytest.mark.parametrize("name", SEARCHING)
def test_a_schedule_multiplies_the_length_that_a_search_finds(name: str) -> None:
    once = {} if name == "hessian_free" else {"iterations": 1}
    torch.testing.assert_close(way(name, **once, **HALVED), 0.5 * way(name, **once))


def test_without_a_search_a_schedule_multiplies_lbfgss_rate() -> None:
    once = {"line_search": "none", "iterations": 1}
    torch.testing.assert_close(way("lbfgs", **once, **HALVED), 0.5 * way("lbfgs", **once))


@pytest.mark.parametrize("name", ["cg_bfgs", "lbfgs"])
def test_at_a_rate_of_zero_nothing_moves_and_the_corrections_stay(name: str) -> None:
    kit = double_kit()
    ours, stream = submission(name, kit, **HALVED), DoubleStream(kit)
    ours.step(stream)
    before, count = values(kit), len(ours.state["steps"])
    ours.point = {**ours.point, **ENDED}
    ours.step(stream)
    assert torch.equal(values(kit), before)
    assert len(ours.state["steps"]) == count > 0


def test_lbfgs_in_jax_refuses_a_schedule() -> None:
    point = default_point("lbfgs", schedule="cosine")
    with pytest.raises(HarnessError, match="schedule is cosine"):
        Kit("jax").submission(submission_folders()["lbfgs"], **point)
