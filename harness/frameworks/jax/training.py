"""Jax's backend for the worker."""

from __future__ import annotations

import os
import random
from collections.abc import Collection, Mapping, Sequence
from typing import SupportsFloat, cast

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from harness.frameworks.base import ALONE, Place
from harness.frameworks.examples import Examples, Parameters
from harness.frameworks.generators import (
    global_state,
    plain_array,
    plain_value,
    set_global_state,
)
from harness.frameworks.jax.algoperf import load_algoperf
from harness.frameworks.jax.device import JaxDevice
from harness.frameworks.jax.loading import LOADER, assign
from harness.frameworks.jax.problem import JaxProblem, jax_problem, key_of
from harness.frameworks.jax.stream import JaxStream, compile_ahead
from harness.frameworks.model_source import check_shapes
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from harness.machine.gpus import free_fraction
from harness.submission.algoperf.location import is_algoperf
from harness.submission.interface import Hyperparameters, Problem, Submission
from harness.submission.state import HostArray, StateDict
from workloads.spec import Augmentation

SPARE_BYTES = 5 * 2**30
"""GPU memory left to the driver, to this process's own context, and to the referee, which runs some
training passes where averaged weights need batch statistics."""


class JaxTrainingBackend(JaxDevice):
    """Implements `harness.frameworks.base.TrainingBackend` in jax."""

    _train_examples = 0
    """The problem's number of training examples, once there is a problem."""

    def __init__(self, device: str, threads: int, place: Place = ALONE) -> None:
        super().__init__(device, threads, place.world_size)
        # The referee has evaluated by now and keeps what that took; jax reads this as it starts.
        if self.kind != "cpu" and (part := free_fraction(device, SPARE_BYTES)) is not None:
            os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{part:.3f}"

    def passes(self, problem: Problem[Array]) -> Sequence[tuple[object, str]]:
        """The methods that a submission may call; an optax step contains its passes, compiled."""
        return (problem, "evaluate"), (problem, "value_and_grad"), (problem, "capture")

    def pace(self, earlier: SupportsFloat | None) -> None:
        """Wait for the step before the last: jax would queue up to 32 steps, and does not say how
        many.
        """
        if isinstance(earlier, Array) and not earlier.is_deleted():
            jax.block_until_ready(earlier)
        else:
            self.synchronize()

    def problem(self, config: ProblemConfig) -> JaxProblem:
        """The submission's view of the workload; its parameters are still zero."""
        self._train_examples = config.train_examples
        return JaxProblem(config, self.device, self.everywhere)

    def load(self, problem: Problem[Array], parameters: Parameters) -> None:
        """Load parameters and buffers, reset the counts, and seed every generator."""
        problem = jax_problem(problem)
        shapes = {name: value.shape for name, value in parameters.items()}
        model_shapes = {n: v.shape for n, v in (problem.parameters | problem.buffers).items()}
        check_shapes(model_shapes, shapes, "parameters to be loaded")
        assign(problem, {name: jnp.array(parameters[name]) for name in problem.specs})
        problem.buffers = {
            name: jax.device_put(jnp.array(parameters[name]), self.everywhere)
            for name in problem.buffers
        }
        problem.reset_counts()
        problem.key = key_of(problem.seed)
        np.random.seed(problem.seed % 2**32)
        random.seed(problem.seed)

    def without_gradients(self, problem: Problem[Array], names: Collection[str]) -> None:
        """None: `jax.grad` gives every parameter a gradient."""

    def stream(
        self,
        examples: Examples,
        order: Order,
        batch_size: int,
        augmentation: Augmentation | None = None,
    ) -> JaxStream:
        """The training stream over the examples, from position 0.

        If there are fewer examples than the problem has, as in a warm-up, the real stream's
        programs are compiled too, since later their compilation would be timed.
        """
        if len(examples.targets) < self._train_examples:
            count, place = self._train_examples, self.everywhere
            compile_ahead(examples, count, batch_size, augmentation, place, slices=self.slices)
        place = self.everywhere
        return JaxStream(examples, order, batch_size, place, augmentation, slices=self.slices)

    def submission(self, location: str, hyperparameters: Hyperparameters) -> Submission[Array]:
        """Import a submission of any supported kind; `setup` has not been called yet."""
        if is_algoperf(location):
            return load_algoperf(location, self.device)
        return LOADER.load(location, hyperparameters)

    def export(self, parameters: Mapping[str, Array]) -> dict[str, npt.NDArray[np.float32]]:
        """Float32 arrays; on CPU they are views of jax's buffers, which are immutable."""
        host = jax.device_get(dict(parameters))
        return {name: np.ascontiguousarray(host[name], dtype=np.float32) for name in parameters}

    def export_into(
        self,
        parameters: Mapping[str, Array],
        shapes: Mapping[str, tuple[int, ...]],
        slot: npt.NDArray[np.float32],
    ) -> None:
        """Write the parameters one after another; on CPU directly from jax's buffers."""
        given_shapes = {name: tuple(value.shape) for name, value in parameters.items()}
        check_shapes(shapes, given_shapes, "the parameters to be evaluated")
        host, start = jax.device_get(dict(parameters)), 0
        for name in shapes:
            end = start + host[name].size
            slot[start:end] = host[name].reshape(-1)
            start = end

    def to_host(self, value: object) -> tuple[HostArray, str] | None:
        """A numpy array and a type mark; for random keys, the array of their raw words."""
        if not isinstance(value, Array):
            return plain_array(value)
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            return np.asarray(jax.random.key_data(value)), f"key {jax.random.key_impl(value)}"
        return np.asarray(value), "jax"

    def from_host(self, array: HostArray, mark: str) -> Array | HostArray | np.generic:
        """A jax array on the device, or a copy on each of several."""
        if mark.startswith("numpy"):
            return plain_value(array, mark)
        device_array: Array = jax.device_put(jnp.array(array), self.everywhere)
        if mark.startswith("key "):
            device_array = jax.random.wrap_key_data(device_array, impl=mark.removeprefix("key "))
        return device_array

    def random_state(self, problem: Problem[Array]) -> StateDict[Array]:
        """The problem's sequence of keys, and numpy's and Python's global generators."""
        return {"problem": jax_problem(problem).random_state(), **global_state()}

    def set_random_state(self, problem: Problem[Array], state: StateDict[Array]) -> None:
        """Restore these states."""
        # It is what `random_state` gave.
        jax_problem(problem).set_random_state(cast("tuple[Array, int]", state["problem"]))
        set_global_state(state)
