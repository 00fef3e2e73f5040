from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import pytest
import torch

from harness.core.errors import UnknownNameError
from harness.submission.interface import Batch
from tests.frameworks.kit import Kit, plain

LAYER = "hidden_2"
Array = torch.Tensor | jax.Array


def captures_and_gradients(kit: Kit, batch: Batch[Array]) -> tuple[Any, dict[str, np.ndarray]]:
    problem = kit.problem
    if kit.framework == "jax":
        _, gradients, captures = problem.capture(problem.parameters, batch)
        return captures, gradients
    with problem.capture() as captures:
        problem.batch_loss(batch).backward()
    return captures, {name: value.grad for name, value in problem.parameters.items()}


def per_example_gradients(kit: Kit, batch: Batch[Array]) -> dict[str, np.ndarray]:
    problem = kit.problem
    transforms: Any = torch.func if kit.framework == "torch" else jax

    def loss(values: Mapping[str, Array], inputs: Array, targets: Array) -> Array:
        mean: Array = problem.evaluate(values, Batch(inputs[None], targets[None])).loss
        return mean

    values = problem.parameters
    if kit.framework == "torch":
        values = {name: value.detach() for name, value in values.items()}
    gradients = transforms.vmap(transforms.grad(loss), (None, 0, 0))
    if kit.framework == "jax":
        gradients = jax.jit(gradients)
    each: dict[str, np.ndarray] = gradients(values, batch.inputs, batch.targets)
    return each


def test_captures_give_the_weight_gradient(kit: Kit) -> None:
    batch = kit.batch()
    captures, gradients = captures_and_gradients(kit, batch)
    assert list(captures) == ["hidden_1", "hidden_2", "output"] or kit.framework == "torch"
    for name, capture in captures.items():
        outer = np.asarray(capture.output_gradients).T @ np.asarray(capture.inputs)
        np.testing.assert_allclose(outer, gradients[f"{name}.weight"], atol=1e-6)


def test_kronecker_factors_are_those_of_per_example_gradients(kit: Kit) -> None:
    """With gradients g a^T of weight and g of bias: G = E[g g^T], A = E[a a^T]."""
    batch = kit.batch()
    capture = captures_and_gradients(kit, batch)[0][LAYER]
    count = len(batch.targets)
    inputs, gradients = np.asarray(capture.inputs), np.asarray(capture.output_gradients) * count
    factor_a, factor_g = inputs.T @ inputs / count, gradients.T @ gradients / count

    each = per_example_gradients(kit, batch)
    bias, weight = np.asarray(each[f"{LAYER}.bias"]), np.asarray(each[f"{LAYER}.weight"])
    squares = np.square(bias).sum(1)
    wanted_a = np.einsum("noi,noj,n->ij", weight, weight, 1 / squares) / count
    np.testing.assert_allclose(factor_g, bias.T @ bias / count, atol=1e-6)
    np.testing.assert_allclose(factor_a, wanted_a, atol=1e-5)


def fisher_samples(kit: Kit, batch: Batch[Array], draws: int) -> list[np.ndarray]:
    """E[g g^T] of the output layer under sampled targets, one estimate a draw."""
    problem, count = kit.problem, len(batch.targets)
    estimates = []
    for draw in range(draws):
        if kit.framework == "jax":
            key = jax.random.fold_in(problem.key, draw)
            capture = problem.capture(problem.parameters, batch, random=key)[2]["output"]
        else:
            with problem.capture(["output"]) as captures:
                logits = problem.evaluate(problem.parameters, batch).logits
                targets = problem.loss.sample_targets(logits, problem.generator)
                problem.loss.value(logits, targets).backward()
            capture = captures["output"]
        gradients = np.asarray(capture.output_gradients) * count
        estimates.append(gradients.T @ gradients / count)
    return estimates


@pytest.mark.system
def test_sampled_targets_estimate_the_fisher_matrix(kit: Kit) -> None:
    """For cross-entropy the output layer's Fisher matrix is E[diag(p) - p p^T]."""
    batch = kit.batch(200)
    logits = kit.problem.evaluate(kit.problem.parameters, batch).logits
    wide = plain(logits).astype(np.float64)
    p = np.exp(wide) / np.exp(wide).sum(1, keepdims=True)
    expected = np.diag(p.mean(0)) - p.T @ p / len(p)
    estimate = np.mean(fisher_samples(kit, batch, 40), axis=0)
    np.testing.assert_allclose(estimate, expected, atol=0.01)


def test_given_targets_replace_the_batchs_in_the_backward_pass(jax_kit: Kit) -> None:
    problem, batch = jax_kit.problem, jax_kit.batch()
    others = (batch.targets + 1) % 4
    evaluation, gradients, _ = problem.capture(problem.parameters, batch, others)
    _, expected = problem.value_and_grad(problem.parameters, Batch(batch.inputs, others))
    assert float(evaluation.loss) == float(problem.evaluate(problem.parameters, batch).loss)
    for name, value in expected.items():
        np.testing.assert_allclose(gradients[name], value, atol=1e-6)


def test_a_kept_graph_serves_a_second_backward_pass(torch_kit: Kit) -> None:
    problem, batch = torch_kit.problem, torch_kit.batch()
    with problem.capture() as captures:
        evaluation = problem.evaluate(problem.parameters, batch)
        evaluation.loss.backward(retain_graph=True)
        first = captures["output"].output_gradients
        targets = problem.loss.sample_targets(evaluation.logits, problem.generator)
        problem.loss.value(evaluation.logits, targets).backward()
    assert not torch.equal(first, captures["output"].output_gradients)
    assert problem.counts == {"forward": 1, "backward": 2, "examples": 32}


def test_hooks_go_with_the_block(torch_kit: Kit) -> None:
    problem, batch = torch_kit.problem, torch_kit.batch()
    with problem.capture() as captures:
        problem.batch_loss(batch)
    problem.batch_loss(batch).backward()
    assert captures == {}


def test_an_unknown_layer_is_named(kit: Kit) -> None:
    problem = kit.problem
    with pytest.raises(UnknownNameError, match="unknown layer 'hidden_3'"):
        if kit.framework == "jax":
            problem.capture(problem.parameters, kit.batch(), names=("hidden_3",))
        else:
            with problem.capture(["hidden_3"]):
                pass
