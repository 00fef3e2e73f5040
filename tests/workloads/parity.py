"""The proof that a workload is the same benchmark in both frameworks.

A `Twin` is one workload at one set of sizes: its declaration and its model in torch and in jax,
both run from the same exported weights. `assert_*` functions compare them; each workload's tests
call them for the base and every variant.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np
import numpy.typing as npt
import optax
import torch
from torch.nn import functional

from harness.core.seeds import philox
from harness.frameworks.examples import EvalConfig, Examples, ModelSource
from harness.frameworks.load import evaluation_backend
from workloads.parameters import ParameterSpec, initial_parameters
from workloads.spec import Sizes

Arrays = Mapping[str, np.ndarray]
Batch = tuple[np.ndarray, np.ndarray]
"""Inputs and targets as they lie on disk; tokens and classes of any integer type."""
SEED = "1" * 32


class Step(NamedTuple):
    """One forward and backward pass on one batch."""

    logits: np.ndarray
    loss: float
    gradients: Arrays


@dataclass(frozen=True)
class Twin:
    """A workload's model in torch and in jax, at one set of sizes."""

    workload: str
    sizes: Sizes

    def module(self, name: str) -> Any:
        return importlib.import_module(f"workloads.{self.workload}.{name}")

    @cached_property
    def specs(self) -> tuple[ParameterSpec, ...]:
        specs: tuple[ParameterSpec, ...] = self.module("model").parameters(self.sizes)
        return specs

    @cached_property
    def start(self) -> Arrays:
        """The same initial weights for both."""
        return initial_parameters(self.specs, philox(SEED, "weights"))

    @cached_property
    def statistics(self) -> Arrays:
        """Buffers off their start: means 0.1 apart from 0, variances from 1."""
        return {b.name: np.full(b.shape, b.value + 0.1, np.float32)
                for b in self.module("model").buffers(self.sizes)}  # fmt: skip

    def torch_model(self, parameters: Arrays) -> torch.nn.Module:
        """The torch model in training mode with these parameters."""
        model: torch.nn.Module = self.module("model_torch").build(self.sizes)
        with torch.no_grad():
            for name, live in model.named_parameters():
                live.copy_(torch.tensor(parameters[name]))
        return model.train()

    @cached_property
    def jax_step(self) -> Callable[[Arrays, Batch], Step]:
        """One compiled pass of the jax model in training form, without dropout."""
        forward = self.module("model_jax").build(self.sizes)

        def loss_of(
            parameters: Mapping[str, jax.Array], inputs: jax.Array, targets: jax.Array
        ) -> tuple[jax.Array, jax.Array]:
            logits = forward(parameters, inputs).logits
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
            return losses.mean(), logits

        compiled = jax.jit(jax.value_and_grad(loss_of, has_aux=True))

        def step(parameters: Arrays, batch: Batch) -> Step:
            inputs, targets = batch
            entered = to_input(inputs)
            (loss, logits), gradients = compiled(
                dict(parameters), entered, targets.astype(np.int32)
            )
            return Step(np.asarray(logits), float(loss), gradients)

        return step


def to_input(inputs: np.ndarray) -> np.ndarray:
    """Inputs as a stream feeds them: tokens as int32, images and vectors as they are."""
    return inputs.astype(np.int32) if inputs.dtype in (np.uint16, np.uint32) else inputs


def torch_step(model: torch.nn.Module, batch: Batch) -> Step:
    """One pass of a torch model; its gradients replace those it has."""
    inputs, targets = batch
    entered = to_input(inputs)
    model.zero_grad()
    logits = model(torch.from_numpy(entered))
    classes = torch.from_numpy(targets.astype(np.int64)).flatten()
    loss = functional.cross_entropy(logits.flatten(0, -2), classes)
    torch.autograd.backward(loss)
    gradients = {}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        gradients[name] = parameter.grad.numpy().copy()
    return Step(logits.detach().numpy(), loss.item(), gradients)


def apart(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """The largest difference of two arrays, relative to the largest entry of the second.

    Where the second is zero throughout it is the largest entry of the first.
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    assert one.shape == other.shape
    assert np.isfinite(one).all()
    return float(np.abs(one - other).max() / (np.abs(other).max() or 1.0))


def farthest(one: Arrays, other: Arrays) -> tuple[float, str]:
    """How far apart two sets of arrays are at most, and where."""
    assert set(one) == set(other)
    return max((apart(one[name], other[name]), name) for name in one)


def assert_declared(twin: Twin) -> None:
    """The torch model has the declared parameters and buffers: names, shapes, order."""
    model = twin.torch_model(twin.start)
    built = [(name, tuple(p.shape)) for name, p in model.named_parameters()]
    assert built == [(spec.name, spec.shape) for spec in twin.specs]
    declared = {b.name: b.shape for b in twin.module("model").buffers(twin.sizes)}
    assert {name: tuple(b.shape) for name, b in model.named_buffers()} == declared


def assert_same_pass(twin: Twin, batch: Batch, bound: float = 1e-4) -> None:
    """Logits, loss and every gradient agree from the same weights, relative to their largest."""
    one = torch_step(twin.torch_model(twin.start), batch)
    other = twin.jax_step(twin.start, batch)
    assert apart(one.logits, other.logits) < bound
    assert abs(one.loss - other.loss) < bound * other.loss
    distance, name = farthest(one.gradients, other.gradients)
    assert distance < bound, name


def assert_same_training(
    twin: Twin,
    batch: Callable[[int], Batch],
    learning_rate: float,
    steps: int = 10,
    bound: float = 1e-3,
) -> None:
    """Steps of SGD leave both at the same parameters, and these have moved."""
    model, parameters = twin.torch_model(twin.start), dict(twin.start)
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    for number in range(steps):
        torch_step(model, batch(number))
        optimizer.step()
        gradients = twin.jax_step(parameters, batch(number)).gradients
        parameters = {n: v - learning_rate * np.asarray(gradients[n])
                      for n, v in parameters.items()}  # fmt: skip
    trained = {name: p.detach().numpy() for name, p in model.named_parameters()}
    distance, name = farthest(trained, parameters)
    assert distance < bound, name
    assert all(apart(trained[n], v) > 0 for n, v in twin.start.items())


def assert_same_evaluation(twin: Twin, examples: Batch, bound: float = 1e-4) -> None:
    """Both referees' evaluators give the same loss and gradient norm, through the adapters."""
    source = ModelSource(f"workloads.{twin.workload}", twin.sizes, "cross_entropy", "float32")
    split = Examples(*examples)
    inputs, targets = examples
    probe = Examples(inputs[:4], targets[:4])
    evaluated = []
    for framework in ("torch", "jax"):
        evaluator = evaluation_backend(framework, "cpu", 1).evaluator(
            source, {"validation": split}, probe, EvalConfig(4)
        )
        state = {**twin.start, **twin.statistics}
        evaluated.append({**evaluator.metrics(state, "validation"), **evaluator.probe(state)})
    one, other = evaluated
    for name, value in one.items():
        assert abs(value - other[name]) <= bound * abs(value), name
