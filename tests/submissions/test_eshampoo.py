"""EShampoo: SOAP where both are the same, a float64 textbook, bases that fit when they must."""

from __future__ import annotations

import numpy as np
import torch

from submissions.common.eigenbasis import iterate_basis_until
from submissions.common.optimizers import State
from submissions.eshampoo.submission import EShampoo

from .conftest import Measure
from .given_problem import (
    Array,
    BareProblem,
    Point,
    largest_error,
    textbook_steps,
    torch_problem,
    torch_steps,
)

SETTINGS: Point = {
    "lr": 0.01, "weight_decay": 0.1, "betas": (0.9, 0.95), "factor_beta": 0.95, "eps": 1e-8,
    "tolerance": 0.0, "iterations": 1, "max_dim": 99, "matmul_dtype": "float64",
}  # fmt: skip
NAMES = ["square", "square_2"]


def in_float64() -> BareProblem:
    problem = torch_problem()
    for name, value in problem.parameters.items():
        problem.parameters[name] = torch.nn.Parameter(value.detach().double())
    return problem


def test_agrees_with_the_textbook_in_the_exact_eigenbasis(measure: Measure) -> None:
    """Two matrices, four sides: side j is due at step j, then at j modulo 4."""
    states: dict[str, State] = {}

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        if name not in NAMES:
            return w
        start = {"m": 0.0, "v": 0.0, "f": [0.0, 0.0], "q": [np.eye(24), np.eye(24)]}
        s = states.setdefault(name, start)
        for side, gram in enumerate((g @ g.T, g.T @ g)):
            s["f"][side] = 0.95 * s["f"][side] + 0.05 * gram
            place = 2 * NAMES.index(name) + side
            if t - 1 == place:
                s["q"][side] = np.linalg.eigh(s["f"][side])[1][:, ::-1]
            elif t - 1 > place and (t - 1 - place) % 4 == 0:
                s["q"][side] = np.linalg.qr(s["f"][side] @ s["q"][side])[0]
        left, right = s["q"]
        s["m"] = 0.9 * s["m"] + 0.1 * g
        s["v"] = 0.95 * s["v"] + 0.05 * (left.T @ g @ right) ** 2
        mean = left.T @ s["m"] @ right / (1 - 0.9**t)
        step = mean / (np.sqrt(s["v"] / (1 - 0.95**t)) + 1e-8)
        after: Array = w * (1 - 0.001) - 0.01 * (left @ step @ right.T)
        return after

    problem = in_float64()
    ours = EShampoo([problem.parameters[n] for n in NAMES], **SETTINGS, refresh_every=4)
    actual = torch_steps(ours, problem)
    expected = {n: v for n, v in textbook_steps(update).items() if n in NAMES}
    assert measure(largest_error(actual, expected)) < 1e-6


def test_with_no_factors_it_is_torchs_adamw() -> None:
    problem, other = torch_problem(), torch_problem()
    settings = SETTINGS | {"max_dim": 0, "matmul_dtype": "float32", "refresh_every": 10}
    ours = EShampoo([problem.parameters[n] for n in NAMES], **settings)
    adam = torch.optim.AdamW(
        [other.parameters[n] for n in NAMES], lr=0.01, betas=(0.9, 0.95), weight_decay=0.1
    )
    assert largest_error(torch_steps(ours, problem), torch_steps(adam, other)) < 1e-6


def test_a_basis_that_fits_stays_and_another_is_followed_until_it_fits() -> None:
    generator = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=generator))[0]
    matrix = (turn * 3.0 ** torch.arange(8).flip(0)) @ turn.mT
    assert iterate_basis_until(matrix, turn, 1e-3, 50) is turn
    basis = iterate_basis_until(matrix, torch.eye(8), 1e-3, 50)
    rotated = basis.mT @ matrix @ basis
    beside = rotated - torch.diag(rotated.diagonal())
    assert beside.norm() <= 1e-3 * matrix.norm()
