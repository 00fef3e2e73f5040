"""Targets as streams and evaluators hand them on: classes and reals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.frameworks.base import Evaluator
from harness.frameworks.examples import EvalConfig, Examples
from harness.frameworks.load import evaluation_backend
from harness.frameworks.order import Order
from tests.frameworks.kit import SEED, SIZES, SOURCE, Kit, parameters
from tests.frameworks.test_evaluator import logits_by_hand

REGRESSION = replace(SOURCE, loss="squared_error")


def real_examples(count: int) -> Examples:
    random = np.random.default_rng(7)
    shapes = (count, SIZES["inputs"]), (count, SIZES["classes"])
    inputs, targets = (random.standard_normal(shape).astype(np.float32) for shape in shapes)
    return Examples(inputs, targets)


def evaluator(framework: str, data: Examples, loss: str = "squared_error") -> Evaluator:
    source, probe = replace(SOURCE, loss=loss), Examples(data.inputs[:64], data.targets[:64])
    backend = evaluation_backend(framework, "cpu", 1)
    return backend.evaluator(source, {"validation": data}, probe, EvalConfig(400))


def error_by_hand(data: Examples) -> float:
    return float(np.square(logits_by_hand(data.inputs) - data.targets).mean())


@pytest.mark.parametrize("is_mapped", [False, True])
def test_real_targets_leave_the_stream_as_they_are(kit: Kit, is_mapped: bool) -> None:
    data = replace(real_examples(50), is_mapped=is_mapped)
    order = Order(SEED, 50)
    stream = kit.backend.stream(data, order, 16)
    for position in range(0, 160, 16):
        targets = np.asarray(stream.next().targets)
        assert targets.dtype == np.float32
        np.testing.assert_array_equal(targets, data.targets[order.slice(position, 16)])


@pytest.mark.parametrize("is_mapped", [False, True])
def test_squared_error_is_evaluated_as_by_hand(kit: Kit, is_mapped: bool) -> None:
    data = replace(real_examples(1001), is_mapped=is_mapped)
    metrics = evaluator(kit.framework, data).metrics(parameters(), "validation")
    assert metrics == {"loss": pytest.approx(error_by_hand(data), rel=1e-6)}


def test_a_probe_of_real_targets_is_the_same_in_both_frameworks() -> None:
    data = real_examples(1001)
    mine, other = (evaluator(name, data).probe(parameters()) for name in ("torch", "jax"))
    assert mine == pytest.approx(other, rel=1e-5)
    probe = Examples(data.inputs[:64], data.targets[:64])
    assert mine["loss"] == pytest.approx(error_by_hand(probe), rel=1e-6)


def test_gradients_are_those_of_the_squared_error(torch_kit: Kit, jax_kit: Kit) -> None:
    kits = [Kit(kit.framework, REGRESSION) for kit in (torch_kit, jax_kit)]
    data, order = real_examples(200), Order(SEED, 200)
    torch_batch, jax_batch = (kit.backend.stream(data, order, 32).next() for kit in kits)
    (torch_problem, jax_problem) = (kit.problem for kit in kits)
    torch_problem.batch_loss(torch_batch).backward()
    _, gradients = jax_problem.value_and_grad(jax_problem.parameters, jax_batch)
    for name, value in torch_problem.parameters.items():
        np.testing.assert_allclose(value.grad, gradients[name], rtol=1e-4, atol=1e-6)


def test_captures_can_be_taken_for_sampled_real_targets(jax_kit: Kit) -> None:
    kit = Kit("jax", REGRESSION)
    batch = kit.backend.stream(real_examples(200), Order(SEED, 200), 32).next()
    start, key = kit.problem.parameters, kit.problem.key
    mine, gradients, _ = kit.problem.capture(start, batch, random=key)
    targets = kit.problem.loss.sample_targets(mine.logits, key)
    _, expected = kit.problem.value_and_grad(start, batch._replace(targets=targets))
    value = kit.problem.loss.value(mine.logits, batch.targets)
    assert float(mine.loss) == pytest.approx(float(value), rel=1e-6)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_targets_of_another_type_are_refused(framework: str) -> None:
    reals = real_examples(100)
    wide = Examples(reals.inputs, reals.targets.astype(np.float64))
    classes = Examples(reals.inputs, np.zeros(100, np.int64))
    for data, loss, message in (
        (wide, "squared_error", "are float64; loss squared_error takes float32"),
        (classes, "squared_error", "are int64; loss squared_error takes float32"),
        (reals, "cross_entropy", "are float32; loss cross_entropy takes integers"),
    ):
        with pytest.raises(HarnessError, match=f"targets of split 'validation' {message}"):
            evaluator(framework, data, loss)
