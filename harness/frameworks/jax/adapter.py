"""What jax does for the referee and the worker."""

from __future__ import annotations

import atexit
import os
import random
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from tempfile import mkdtemp
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from harness.frameworks.base import PROBE, EvalConfig, Examples, ModelSource, Parameters
from harness.frameworks.generators import (
    global_state,
    plain_array,
    plain_value,
    set_global_state,
)
from harness.frameworks.jax.evaluator import JaxEvaluator
from harness.frameworks.jax.loading import assign, submission_at
from harness.frameworks.jax.problem import JaxProblem, key_of
from harness.frameworks.jax.stream import JaxStream
from harness.frameworks.model_source import check_shapes
from harness.frameworks.order import Order
from harness.submission.interface import BudgetView, Hyperparameters, Submission
from workloads.spec import Augmentation


class JaxAdapter:
    """Jax on one device (`harness.frameworks.base.Adapter`).

    Platform, memory and threads are read when jax first looks for devices, so they are set on
    construction: on `cpu` no other platform is opened, no GPU memory is taken before it is used,
    and XLA's thread pool has `threads` threads.
    """

    def __init__(self, device: str, threads: int) -> None:
        platform, _, number = device.partition(":")
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        os.environ["NPROC"] = str(threads)
        if platform == "cpu":
            os.environ["JAX_PLATFORMS"] = "cpu"
            jax.config.update("jax_platforms", "cpu")
        self._platform = platform
        self._number = int(number or 0)

    @property
    def device(self) -> jax.Device:
        """The device; the first look opens it."""
        return jax.local_devices(backend=self._platform)[self._number]

    def pin(self) -> None:
        """Fix the device and full float32 products; XLA's CPU code is deterministic.

        What is compiled during the warm-up is kept in a folder of this process's own, because a
        submission that is set up anew traces new functions, which jax would compile again.
        """
        jax.config.update("jax_compilation_cache_dir", _compilation_cache())
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        jax.config.update("jax_default_matmul_precision", "highest")
        jax.config.update("jax_default_device", self.device)

    def synchronize(self) -> None:
        """Wait for every live array and for one computation queued after all others."""
        jax.block_until_ready(_live_arrays())
        jax.block_until_ready(jnp.add(jnp.zeros((), device=self.device), 1.0))

    def probe(self) -> None:
        """Some matrix products, until the device has finished them."""
        side, products = PROBE[self._platform]
        matrix = jnp.full((side, side), 1.0 / side, device=self.device)
        for _ in range(products):
            matrix = matrix @ matrix
        matrix.block_until_ready()

    def passes(self, problem: JaxProblem) -> Sequence[tuple[Any, str]]:
        """Those that a submission calls; the passes of an optax step are compiled into it."""
        return (problem, "evaluate"), (problem, "value_and_grad"), (problem, "captured")

    def problem(
        self, source: ModelSource, budget: BudgetView, batch_size: int, examples: int, seed: int
    ) -> JaxProblem:
        """The submission's view of the workload, its parameters still zero."""
        return JaxProblem(source, budget, batch_size, examples, seed, device=self.device)

    def load(self, problem: JaxProblem, parameters: Parameters) -> None:
        """Put parameters and buffers in place, drop counts, and seed every generator."""
        shapes = {name: value.shape for name, value in parameters.items()}
        wanted = {n: v.shape for n, v in (problem.parameters | problem.buffers).items()}
        check_shapes(wanted, shapes, "parameters to be loaded")
        assign(problem, {name: jnp.array(parameters[name]) for name in problem.specs})
        problem.buffers = {
            name: jax.device_put(jnp.array(parameters[name]), self.device)
            for name in problem.buffers
        }
        problem.reset_counts()
        problem.key = key_of(problem.seed)
        np.random.seed(problem.seed % 2**32)
        random.seed(problem.seed)

    def stream(
        self,
        examples: Examples,
        order: Order,
        batch_size: int,
        augmentation: Augmentation | None = None,
    ) -> JaxStream:
        """The training stream over the examples, from position 0."""
        return JaxStream(examples, order, batch_size, self.device, augmentation)

    def submission(self, location: str, hyperparameters: Hyperparameters) -> Submission:
        """Import a submission through any of its doors; `setup` is still to be called."""
        return submission_at(location, hyperparameters)

    def export(self, parameters: Mapping[str, Array]) -> dict[str, npt.NDArray[np.float32]]:
        """Float32 arrays; on CPU views of jax's buffers, which nothing changes."""
        host = jax.device_get(dict(parameters))
        return {name: np.ascontiguousarray(host[name], dtype=np.float32) for name in parameters}

    def to_host(self, value: Any) -> tuple[npt.NDArray[Any], str] | None:
        """An array; of keys the words behind them."""
        if not isinstance(value, Array):
            return plain_array(value)
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            return np.asarray(jax.random.key_data(value)), f"key {jax.random.key_impl(value)}"
        return np.asarray(value), "jax"

    def from_host(self, array: npt.NDArray[Any], mark: str) -> Any:
        """An array of jax's on the device."""
        if mark.startswith("numpy"):
            return plain_value(array, mark)
        placed = jax.device_put(jnp.array(array), self.device)
        if mark.startswith("key "):
            return jax.random.wrap_key_data(placed, impl=mark.removeprefix("key "))
        return placed

    def random_state(self, problem: JaxProblem) -> Mapping[str, Any]:
        """The problem's sequence of keys, numpy's generator and python's."""
        return {"problem": problem.random_state(), **global_state()}

    def set_random_state(self, problem: JaxProblem, state: Mapping[str, Any]) -> None:
        """Put them back."""
        problem.set_random_state(state["problem"])
        set_global_state(state)

    def evaluator(
        self,
        source: ModelSource,
        splits: Mapping[str, Examples],
        probe: Examples,
        eval_config: EvalConfig,
    ) -> JaxEvaluator:
        """An evaluator with its own model and its own copy of the splits on the device."""
        return JaxEvaluator(source, splits, probe, eval_config, self.device)


@cache
def _compilation_cache() -> str:
    folder = mkdtemp(prefix="compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _live_arrays() -> list[Any]:
    return [array for array in jax.live_arrays() if not array.is_deleted()]
