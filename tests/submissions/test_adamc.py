"""AdamC: pytorch-optimizer's sequence under a schedule; the ratio that AdamW lets grow."""

from __future__ import annotations

from dataclasses import replace

import pytest
import pytorch_optimizer
import torch

from submissions.adamc.submission import AdamC

from .conftest import Measure
from .given_problem import (
    BareProblem,
    Point,
    Values,
    default_point,
    largest_error,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

NORMALISED = ("square", "kernel")


def with_normalised() -> BareProblem:
    problem = torch_problem()
    specs = {n: replace(s, is_normalised=n in NORMALISED) for n, s in problem.specs.items()}
    return BareProblem(problem.parameters, specs)


def schedule(optimizer: torch.optim.Optimizer, problem: BareProblem) -> Values:
    """Twenty steps with a falling rate."""
    for step in range(20):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * (1.0 - step / 25)
        after = torch_steps(optimizer, problem, range(step, step + 1))
    return after


def test_agrees_with_pytorch_optimizer_under_a_schedule(measure: Measure) -> None:
    problem, other = with_normalised(), torch_problem()
    # Its epsilon stands beside an uncorrected root: made negligible in both. It has 1e-15 under the
    # root besides, which one entry whose first gradient is 3e-6 feels: hence the tolerance.
    changes: Point = {"learning_rate": 0.01, "weight_decay": 3.0, "epsilon": 1e-20}
    point = default_point("adamc", **changes)
    ours = torch_optimizer("adamc", problem, corrected="declared", **changes)
    parts: dict[bool, list[torch.Tensor]] = {True: [], False: []}
    for name, value in other.parameters.items():
        parts[name in NORMALISED].append(value)
    theirs = pytorch_optimizer.AdamC(
        [{"params": members, "normalized": is_it} for is_it, members in parts.items()],
        lr=0.01,
        betas=(point["beta1"], point["beta2"]),
        weight_decay=3.0,
        eps=point["epsilon"],
    )
    error = largest_error(schedule(ours, problem), schedule(theirs, other))
    assert measure(error) < 5e-5


def test_without_normalised_weights_it_is_adamw() -> None:
    problem, other = torch_problem(), torch_problem()
    ours = torch_optimizer("adamc", problem, weight_decay=1.0, corrected="declared")
    theirs = torch_optimizer("adamw", other, weight_decay=1.0)
    assert largest_error(schedule(ours, problem), schedule(theirs, other)) == 0.0


def test_by_default_hidden_matrices_and_kernels_are_corrected_and_the_output_is_not() -> None:
    problem = torch_problem()
    optimizer = torch_optimizer("adamc", problem)
    by_kind = {bool(g["is_normalised"]): g["params"] for g in optimizer.param_groups}
    names = {True: ["square", "square_2", "tall", "kernel"], False: ["output", "bias"]}
    for kind, expected in names.items():
        assert [id(p) for p in by_kind[kind]] == [id(problem.parameters[n]) for n in expected]


def growth_of_the_ratio(normalised: bool, steps: int = 3000) -> float:
    """||g|| / ||w|| near the end over its value in the middle, of a weight whose scale is free.

    The gradients are noise across the weight, over its norm, as normalisation makes them. The rate
    is constant for half of the steps and then falls to a tenth.
    """
    generator = torch.Generator().manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(256, generator=generator))
    group = {"params": [weight], "is_normalised": normalised}
    optimizer = AdamC([group], lr=0.03, weight_decay=1.0, betas=(0.0, 0.99))
    ratios = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.03 * min(1.0, 1.0 - 0.9 * (2 * step / steps - 1))
        w = weight.detach()
        noise = torch.randn(256, generator=generator)
        weight.grad = (noise - w * (w @ noise) / (w @ w)) / w.norm()
        ratios.append(float(weight.grad.norm() / w.norm()))
        optimizer.step()
    middle, end = (torch.tensor(ratios[i - 100 : i]).mean() for i in (steps // 2, steps))
    return float(end / middle)


def test_the_gradient_to_weight_ratio_stays_where_adamws_grows() -> None:
    assert growth_of_the_ratio(normalised=True) == pytest.approx(1.0, abs=0.15)
    assert growth_of_the_ratio(normalised=False) > 3.0
