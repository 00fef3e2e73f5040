"""Conjugate gradients: scipy's iterates, what its rules to stop and to keep say."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse.linalg
import torch

from submissions.common.conjugate_gradients import (
    Progress,
    conjugate_gradients,
    relative_progress,
    residual_below,
)

SIZE, STEPS = 60, 25


def system() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A positive definite matrix of condition 30, a right side, a start."""
    generator = torch.Generator().manual_seed(4)
    basis, _ = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64))
    matrix = (basis * torch.logspace(0, 1.5, SIZE, dtype=torch.float64)) @ basis.mT
    b, start = torch.randn(2, SIZE, generator=generator, dtype=torch.float64)
    return matrix, b, start


@pytest.mark.parametrize("preconditioned", [False, True])
@pytest.mark.parametrize("steps", [5, STEPS])
def test_iterates_are_scipys(preconditioned: bool, steps: int) -> None:
    matrix, b, start = system()
    diagonal = matrix.diagonal() if preconditioned else torch.ones_like(b)
    ours = conjugate_gradients(
        lambda v: matrix @ v,
        b,
        start,
        stop=residual_below(0.0),
        iterations=steps,
        preconditioner=(lambda r: r / diagonal) if preconditioned else None,
    )
    theirs, _ = scipy.sparse.linalg.cg(
        matrix.numpy(), b.numpy(), start.numpy(), maxiter=steps, rtol=0.0,
        M=np.diag(1.0 / diagonal.numpy()),
    )  # fmt: skip
    assert ours.iterations == steps
    assert float(np.abs(ours.x.numpy() - theirs).max()) < 1e-10 * float(np.abs(theirs).max())


def test_values_are_the_quadratics_and_fall() -> None:
    matrix, b, start = system()
    solution = conjugate_gradients(
        lambda v: matrix @ v, b, start, stop=residual_below(1e-9), iterations=500, keep=True
    )
    torch.testing.assert_close(matrix @ solution.x, b)
    assert np.diff(solution.values).max() < 1e-9 * abs(solution.values[-1])
    for x, value in solution.iterates:
        assert value == pytest.approx(float(0.5 * x @ matrix @ x - b @ x), rel=1e-8)
    assert torch.equal(solution.iterates[-1][0], solution.x)


def test_relative_progress_stops_when_q_ceases_to_fall() -> None:
    stop = relative_progress(5e-4)
    falling = [-float(i) for i in range(30)]
    assert not stop(Progress(1.0, falling))
    assert stop(Progress(1.0, [*falling, *[-29.0 - 1e-3 * i for i in range(12)]]))
    assert not stop(Progress(1.0, [-1.0] * 10))


def test_negative_curvature_ends_the_search() -> None:
    solution = conjugate_gradients(
        lambda v: -v, torch.ones(3), stop=residual_below(0.0), iterations=5
    )
    assert solution.iterations == 0
    assert torch.equal(solution.x, torch.zeros(3))
