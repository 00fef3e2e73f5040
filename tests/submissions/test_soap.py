"""SOAP: Adam with identity bases, a float64 textbook with unrotated momentum, exact bases."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_optimizer
import torch

from submissions.common.eigenbasis import eigenbasis, failures_of, iterate_basis
from submissions.common.optimizers import State
from submissions.soap.optimizer import Soap

from .conftest import Measure
from .given_problem import (
    SHAPES,
    Array,
    Point,
    gradients,
    largest_error,
    textbook_steps,
    torch_problem,
    torch_steps,
)

MATRICES = ["square", "square_2", "tall", "kernel"]
MAX_SIDE = 24
"""The longer sides of `tall` and `kernel` start with a null space, whose basis is anybody's."""
SETTINGS: Point = {"lr": 0.01, "betas": (0.9, 0.95), "matmul_dtype": "float32"}


def short(name: str, side: int) -> bool:
    shape = SHAPES[name][0]
    return (shape[0], int(np.prod(shape[1:])))[side] <= MAX_SIDE


def power_step(factor: Array, basis: Array, second: Array) -> tuple[Array, Array]:
    order = np.argsort(-np.diag(basis.T @ factor @ basis), kind="stable")
    return np.linalg.qr(factor @ basis[:, order])[0], second[order]


def textbook(period: int, stagger: bool = True) -> dict[str, Array]:
    """Float64, four projections a step: the momentum stays in the space of the gradient."""
    states: dict[str, State] = {}
    sides = [(n, side) for n in MATRICES for side in (0, 1) if short(n, side)]
    offsets = {p: place * period // len(sides) if stagger else 0 for place, p in enumerate(sides)}

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        if name not in MATRICES:
            return w
        g = g.reshape(len(g), -1)
        grams = (g @ g.T, g.T @ g)
        if name not in states:
            bases = [
                np.linalg.eigh(x)[1][:, ::-1] if short(name, side) else np.eye(len(x))
                for side, x in enumerate(grams)
            ]
            states[name] = {"m": 0.0, "v": np.zeros_like(g), "f": [0.05 * x for x in grams]}
            states[name]["q"] = bases
            return w
        s = states[name]
        left, right = s["q"]
        s["m"] = 0.9 * s["m"] + 0.1 * g
        s["v"] = 0.95 * s["v"] + 0.05 * (left.T @ g @ right) ** 2
        mean = left.T @ s["m"] @ right / (1 - 0.9 ** (t - 1))
        step = mean / (np.sqrt(s["v"] / (1 - 0.95 ** (t - 1))) + 1e-8)
        w = w * (1 - 0.001) - 0.01 * (left @ step @ right.T).reshape(w.shape)
        s["f"] = [0.95 * f + 0.05 * x for f, x in zip(s["f"], grams, strict=True)]
        since = [t - 1 - offsets.get((name, side), 99) for side in (0, 1)]
        if since[0] >= 0 and since[0] % period == 0:
            s["q"][0], s["v"] = power_step(s["f"][0], left, s["v"])
        if since[1] >= 0 and since[1] % period == 0:
            s["q"][1], turned = power_step(s["f"][1], right, s["v"].T)
            s["v"] = turned.T
        return w

    return {name: value for name, value in textbook_steps(update).items() if name in MATRICES}


def test_refreshed_at_every_step_it_is_pytorch_optimizers(measure: Measure) -> None:
    # Not with decay, which that package applies after the step, nor with a null space.
    start = torch.from_numpy(gradients(99)["square"]).double()
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    settings: Point = {"lr": 0.01, "betas": (0.9, 0.95), "weight_decay": 0.0}
    soap = Soap([ours], **settings, refresh_every=1, matmul_dtype="float64")
    other = pytorch_optimizer.SOAP([theirs], **settings, precondition_frequency=1)
    for step in range(20):
        for weight, optimizer in ((ours, soap), (theirs, other)):
            weight.grad = torch.from_numpy(gradients(step)["square"]).double()
            optimizer.step()
    assert measure(float((ours - theirs).detach().abs().max())) < 1e-5


@pytest.mark.parametrize(("period", "stagger"), [(1, True), (4, True), (4, False)])
def test_agrees_with_the_textbook(period: int, stagger: bool, measure: Measure) -> None:
    problem = torch_problem()
    for name, value in problem.parameters.items():
        problem.parameters[name] = torch.nn.Parameter(value.detach().double())
    soap = Soap(
        [problem.parameters[name] for name in MATRICES],
        **(SETTINGS | {"weight_decay": 0.1, "refresh_every": period, "matmul_dtype": "float64"}),
        max_dim=MAX_SIDE,
        stagger=stagger,
    )
    ours = torch_steps(soap, problem)
    assert measure(largest_error(textbook(period, stagger), ours)) < 1e-6


def test_with_identity_bases_it_is_adam_one_gradient_later() -> None:
    problem, adam_problem = torch_problem(), torch_problem()
    soap = Soap([problem.parameters[name] for name in MATRICES], max_dim=0, **SETTINGS)
    adam = torch.optim.AdamW(
        [adam_problem.parameters[n] for n in MATRICES], lr=0.01, betas=(0.9, 0.95), weight_decay=0.0
    )
    ours = torch_steps(soap, problem)
    assert largest_error(ours, torch_steps(adam, adam_problem, range(1, 20))) < 1e-6


def test_orthogonal_iteration_converges_to_the_eigenbasis() -> None:
    random = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))[0]
    matrix = (random * 3.0 ** torch.arange(8)) @ random.mT
    basis = torch.eye(8)
    for _ in range(30):
        basis, _ = iterate_basis(matrix, basis)
    assert (basis.mT @ eigenbasis(matrix, failures_of({}))).abs().diagonal().min() > 0.999
