"""Products of Hessian, Gauss-Newton and Fisher matrices against autograd's explicit matrices."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.nn.functional import one_hot

from harness.frameworks.torch.loss import SquaredError
from harness.frameworks.torch.problem import TorchProblem
from harness.submission.interface import Batch, Evaluation
from submissions.common.flat import flatten, unflatten
from submissions.common.products import (
    Linearisation,
    finite_difference,
    hessian_product,
    parameters_of,
)

from .small_problem import ProblemAndBatch, double_problem, fisher, jacobian

COUNT = 32


@pytest.fixture
def problem_and_batch() -> ProblemAndBatch:
    return double_problem()


def vector_of(problem: TorchProblem) -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randn_like(flatten(parameters_of(problem)))


def test_hessian_products_are_those_of_autograds_matrix(problem_and_batch: ProblemAndBatch) -> None:
    problem, batch = problem_and_batch
    names, live = list(problem.parameters), parameters_of(problem)

    def loss(vector: torch.Tensor) -> torch.Tensor:
        parts = dict(zip(names, unflatten(vector, live), strict=True))
        evaluation: Evaluation[torch.Tensor] = problem.evaluate(parts, batch)
        return evaluation.loss

    matrix = torch.autograd.functional.hessian(loss, flatten(live))
    vector = vector_of(problem)
    parts = dict(zip(names, unflatten(vector, live), strict=True))
    actual = flatten(hessian_product(problem, batch, parts).values())
    torch.testing.assert_close(actual, matrix @ vector, atol=1e-12, rtol=0.0)


def test_gauss_newton_products_are_those_of_the_explicit_matrix(
    problem_and_batch: ProblemAndBatch,
) -> None:
    problem, batch = problem_and_batch
    linearisation, vector = Linearisation(problem, batch), vector_of(problem)
    matrix = fisher(problem, batch)
    product = linearisation.gauss_newton()
    for _ in range(2):
        actual = product(vector)
        torch.testing.assert_close(actual, matrix @ vector, atol=1e-12, rtol=0.0)


def test_a_fisher_product_of_squared_errors_sums_over_examples_not_outputs() -> None:
    problem, batch = double_problem()
    names, live = list(problem.parameters), parameters_of(problem)
    targets = torch.randn_like(problem.forward(batch).logits)
    problem.loss, batch = SquaredError(), Batch(batch.inputs, targets)

    def errors(vector: torch.Tensor) -> torch.Tensor:
        parts = dict(zip(names, unflatten(vector, live), strict=True))
        logits = problem.evaluate(parts, batch).logits
        result: torch.Tensor = (logits - targets).square().sum(-1).flatten()
        return result  # minus each example's log-likelihood

    scores = torch.autograd.functional.jacobian(errors, flatten(live))
    vector = vector_of(problem)
    actual = Linearisation(problem, batch).fisher(targets)(vector)
    expected = scores.T @ (scores @ vector) / targets.numel()
    torch.testing.assert_close(actual, expected, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("sampled", [False, True])
def test_fisher_products_are_sums_of_outer_products(
    problem_and_batch: ProblemAndBatch, sampled: bool
) -> None:
    problem, batch = problem_and_batch
    linearisation, vector = Linearisation(problem, batch), vector_of(problem)
    targets = batch.targets
    if sampled:
        targets = linearisation.sampled_targets(problem.generator)
    p = problem.evaluate({}, batch).logits.detach().softmax(-1)
    residuals = p - one_hot(targets, p.shape[-1])
    gradients = torch.einsum("nci,nc->ni", jacobian(problem, batch), residuals)
    expected = gradients.mT @ (gradients @ vector) / COUNT
    actual = linearisation.fisher(targets)(vector)
    torch.testing.assert_close(actual, expected, atol=1e-12, rtol=0.0)
    torch.testing.assert_close(linearisation.target_gradient(targets), gradients.mean(0))


def test_gradient_and_finite_difference(problem_and_batch: ProblemAndBatch) -> None:
    problem, batch = problem_and_batch
    live = parameters_of(problem)
    linearisation, vector = Linearisation(problem, batch), vector_of(problem)
    gradient = linearisation.gradient()
    torch.testing.assert_close(
        gradient, flatten(torch.autograd.grad(problem.batch_loss(batch), live))
    )

    exact = linearisation.hessian()(vector)
    product = finite_difference(partial(_gradient, problem, batch), flatten(live), gradient)
    actual = product(vector)
    assert float((actual - exact).norm() / exact.norm()) < 1e-2


def _gradient(
    problem: TorchProblem, batch: Batch[torch.Tensor], point: torch.Tensor
) -> torch.Tensor:
    live = parameters_of(problem)
    leaves = [part.clone().requires_grad_() for part in unflatten(point, live)]
    loss = problem.evaluate(dict(zip(problem.parameters, leaves, strict=True)), batch).loss
    return flatten(torch.autograd.grad(loss, leaves))


def test_every_pass_is_counted(problem_and_batch: ProblemAndBatch) -> None:
    problem, batch = problem_and_batch
    problem.reset_counts()
    product = Linearisation(problem, batch).gauss_newton()
    vector = vector_of(problem)
    product(vector)
    product(vector)
    # One forward, one backward for the graph of J^T u, and a J v and a J^T for each product.
    assert problem.counts["forward"] == 3
    assert problem.counts["backward"] == 3
