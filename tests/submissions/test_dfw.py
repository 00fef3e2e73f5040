"""DFW: a textbook in numpy over twenty steps, and indifference to how inputs are conditioned."""

from __future__ import annotations

import numpy as np
import torch

from harness.submission.interface import Batch
from tests.frameworks.kit import Kit

from .conftest import Measure
from .given_problem import Array, Point
from .small_problem import DoubleStream, double_kit, submission, values

STEPS, LAYERS = 20, ("hidden_1", "hidden_2", "output")
PLAIN: Point = {
    "momentum": 0.0,
    "factor_beta": 0.0,
    "refresh_every": 1,
    "weight_decay": 0.0,
}
PLAIN |= {
    "learning_rate": 0.3,
    "damping": 1e-3,
    "schedule": "constant",
    "warmup": 0.0,
    "trust": 1e9,
}


def with_ones(values: Array) -> Array:
    return np.concatenate([values, np.ones((len(values), 1))], axis=1)


def textbook_pass(
    weights: list[Array], batch: Batch[torch.Tensor]
) -> tuple[list[Array], list[Array]]:
    """Gradients of the mean cross-entropy, and inputs, of every layer of the perceptron."""
    inputs = [with_ones(batch.inputs.numpy())]
    for weight in weights[:-1]:
        inputs.append(with_ones(np.tanh(inputs[-1] @ weight.T)))
    logits = inputs[-1] @ weights[-1].T
    p = np.exp(logits - logits.max(1, keepdims=True))
    back = p / p.sum(1, keepdims=True)
    back[np.arange(len(back)), batch.targets.numpy()] -= 1.0
    back = back / len(back)
    gradients: list[Array] = []
    for weight, layer_inputs in zip(weights[::-1], inputs[::-1], strict=True):
        gradients.insert(0, back.T @ layer_inputs)
        back = (back @ weight[:, :-1]) * (1.0 - layer_inputs[:, :-1] ** 2)
    return gradients, inputs


def whiten(gradient: Array, layer_inputs: Array) -> Array:
    q = layer_inputs.T @ layer_inputs / len(layer_inputs)
    return np.linalg.solve(q + 1e-3 * np.trace(q) / len(q) * np.eye(len(q)), gradient.T).T


def test_twenty_steps_are_the_textbooks(measure: Measure) -> None:
    kit = double_kit()
    live = {name: value.detach().numpy().copy() for name, value in kit.problem.parameters.items()}
    weights = [np.column_stack([live[f"{n}.weight"], live[f"{n}.bias"]]) for n in LAYERS]
    ours, stream, again = submission("dfw", kit, **PLAIN), DoubleStream(kit), DoubleStream(kit)
    for _ in range(STEPS):
        ours.step(stream)
        gradients, inputs = textbook_pass(weights, again.next())
        for i in (0, 1):
            weights[i] = weights[i] - 0.3 * whiten(gradients[i], inputs[i])
        gradients, inputs = textbook_pass(weights, again.next())
        weights[2] = weights[2] - 0.3 * whiten(gradients[2], inputs[2])
    for name, weight in zip(LAYERS, weights, strict=True):
        actual = kit.problem.parameters[f"{name}.weight"].detach().numpy()
        assert measure(float(np.abs(actual - weight[:, :-1]).max())) < 1e-5


class MixedStream:
    """A stream whose inputs are multiplied by a badly conditioned matrix."""

    def __init__(self, inner: DoubleStream, mixing: torch.Tensor) -> None:
        self.inner, self.mixing = inner, mixing

    def next(self, count: int | None = None) -> Batch[torch.Tensor]:
        batch = self.inner.next(count)
        return Batch(batch.inputs @ self.mixing.mT, batch.targets)


def test_the_conditioning_of_the_inputs_does_not_matter() -> None:
    torch.manual_seed(0)
    basis, _ = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))
    mixing = basis * torch.logspace(0, 1, 6, dtype=torch.float64)
    kit, mixed = double_kit(), double_kit()
    with torch.no_grad():
        first = mixed.problem.parameters["hidden_1.weight"]
        first.copy_(first @ torch.linalg.inv(mixing))
    point = {**PLAIN, "damping": 1e-14, "learning_rate": 0.1}
    ours, other = submission("dfw", kit, **point), submission("dfw", mixed, **point)
    plain, bad = DoubleStream(kit), MixedStream(DoubleStream(kit), mixing)
    before = values(kit)
    for _ in range(STEPS):
        loss, again = ours.step(plain), other.step(bad)
        torch.testing.assert_close(loss, again, atol=1e-4, rtol=0.0)
    assert float((values(kit) - before).abs().max()) > 0.1


def test_weights_that_start_at_zero_move_too() -> None:
    kit = double_kit()
    output = kit.problem.parameters["output.weight"]
    with torch.no_grad():
        output.zero_()
    ours, stream = submission("dfw", kit, schedule="constant", warmup=0.0), DoubleStream(kit)
    ours.step(stream)
    ours.step(stream)
    assert bool((output != 0.0).any())


def test_the_output_side_is_the_jacobians_second_moment() -> None:
    kit = double_kit()
    ours = submission("dfw", kit, **PLAIN, output_side="jacobian")
    live, batch = kit.problem.parameters, DoubleStream(kit).next()
    z = batch.inputs
    for name in LAYERS[:-1]:
        z = torch.tanh(z @ live[f"{name}.weight"].mT + live[f"{name}.bias"])
    u = torch.randn(32, 4, dtype=torch.float64, generator=generator_like(kit))
    rows = (1.0 - z**2) * (u @ live["output.weight"])
    expected = (rows.mT @ rows / 32).detach()
    ours.step(DoubleStream(kit))
    actual = ours.body[1].state["outputs"]
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=1e-5)


def generator_like(kit: Kit) -> torch.Generator:
    """A generator in the state of the problem's."""
    generator = torch.Generator()
    generator.set_state(kit.problem.generator.get_state())
    return generator
