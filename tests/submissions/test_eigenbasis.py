"""Eigendecompositions that fail are done in another way, counted, and end no trial."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import pytest
import torch

from submissions.common.eigenbasis import decompose, eigenbasis, failures_of
from tests.frameworks.kit import Kit

from .given_problem import default_point, largest_error, torch_optimizer, torch_problem, torch_steps

METHODS = ("eshampoo", "ggt", "shampoo", "soap", "splus")
eigh, qr = torch.linalg.eigh, torch.linalg.qr
Solve = Callable[[torch.Tensor], object]


def fail_in(*dtypes: torch.dtype, solve: Solve = eigh) -> Solve:
    """A decomposition that converges only in other dtypes."""

    def solve_or_fail(matrix: torch.Tensor) -> object:
        if matrix.dtype in dtypes:
            raise torch.linalg.LinAlgError("failed to converge")  # type: ignore[attr-defined]
        return solve(matrix)

    return solve_or_fail


def moment(size: int = 8) -> torch.Tensor:
    """A random second moment whose eigenvalues differ by a factor of three each."""
    generator = torch.Generator().manual_seed(0)
    turn: torch.Tensor = qr(torch.randn(size, size, generator=generator))[0]
    return (turn * 3.0 ** torch.arange(size)) @ turn.mT


def is_diagonal(matrix: torch.Tensor, tolerance: float) -> bool:
    beside = matrix - torch.diag(matrix.diagonal())
    return float(beside.norm()) < tolerance * float(matrix.norm())


def test_what_fails_in_float32_is_decomposed_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.linalg, "eigh", fail_in(torch.float32))
    failures = failures_of({})
    pair = decompose(moment(), failures)
    assert pair is not None
    assert failures == {"float64": 1, "qr": 0, "old_basis": 0}
    torch.testing.assert_close(pair[0], 3.0 ** torch.arange(8), rtol=1e-4, atol=1e-3)
    assert is_diagonal(pair[1].mT @ moment() @ pair[1], 1e-5)


def test_what_fails_there_too_is_decomposed_by_qr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.linalg, "eigh", fail_in(torch.float32, torch.float64))
    failures = failures_of({})
    basis = eigenbasis(moment(), failures)
    assert failures == {"float64": 0, "qr": 1, "old_basis": 0}
    torch.testing.assert_close(basis.mT @ basis, torch.eye(8), rtol=0.0, atol=1e-5)
    assert is_diagonal(basis.mT @ moment() @ basis, 1e-3)


def test_where_nothing_converges_the_old_basis_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    dtypes = (torch.float32, torch.float64)
    monkeypatch.setattr(torch.linalg, "eigh", fail_in(*dtypes))
    monkeypatch.setattr(torch.linalg, "qr", fail_in(*dtypes, solve=qr))
    failures, old = failures_of({}), qr(moment())[0]
    assert eigenbasis(moment(), failures, old) is old
    assert torch.equal(eigenbasis(moment(), failures), torch.eye(8))
    assert failures == {"float64": 0, "qr": 0, "old_basis": 2}


@pytest.mark.parametrize("name", [n for n in METHODS if n != "ggt"])
def test_a_method_goes_the_same_way_through_float64(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, problem = torch_problem(), torch_problem()
    way = torch_steps(torch_optimizer(name, expected, matmul_dtype="float32"), expected)
    monkeypatch.setattr(torch.linalg, "eigh", fail_in(torch.float32))
    optimizer = torch_optimizer(name, problem, matmul_dtype="float32")
    actual = torch_steps(optimizer, problem)
    # only of full rank: a basis of a null space is any
    assert largest_error({"square": actual["square"]}, way) < 2e-2
    saved = str(optimizer.state_dict())
    assert "'float64': 0" not in saved
    assert "'old_basis': 0" in saved


@pytest.mark.parametrize("name", METHODS)
def test_no_method_ends_where_no_decomposition_converges(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dtypes = (torch.float32, torch.float64)
    monkeypatch.setattr(torch.linalg, "eigh", fail_in(*dtypes))
    problem = torch_problem()
    for value in torch_steps(torch_optimizer(name, problem), problem).values():
        assert bool(torch.isfinite(torch.from_numpy(value)).all())


def test_ekfac_goes_on_and_counts_where_no_decomposition_converges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.linalg, "eigh", fail_in(torch.float32, torch.float64))
    kit = Kit("torch")
    module = importlib.import_module("submissions.ekfac.submission")
    submission = module.Submission()
    submission.setup(kit.problem, default_point("ekfac"))
    losses = [float(submission.step(stream)) for stream in [kit.stream()] * 20]
    assert losses[-1] < losses[0]
    assert all(layer["failures"]["qr"] > 0 for layer in submission.state_dict()["layers"])
