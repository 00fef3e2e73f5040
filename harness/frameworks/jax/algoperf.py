"""AlgoPerf's workload interface in jax, and the other modules that its submissions import.

Since version 0.6, updates are compiled by `jax.jit` with shardings. Earlier submissions, and some
later ones, use `jax.pmap`, whose arrays have a leading device axis; it has length 1 here.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from harness.core.errors import HarnessError
from harness.frameworks.jax.old_names import enter_old_names
from harness.frameworks.jax.problem import JaxProblem, jax_problem, move_buffers
from harness.submission.algoperf.adapter import AlgoPerfSubmission
from harness.submission.algoperf.location import entry_file
from harness.submission.algoperf.modules import load_module
from harness.submission.algoperf.spec import ForwardPassMode
from harness.submission.algoperf.workload import AlgoPerfWorkload
from harness.submission.interface import Batch, Hyperparameters, Problem
from harness.submission.state import StateDict, arrays_of, leaves_of, state_of

CHEX_TYPES = ("Array", "ArrayDType", "ArrayTree", "Numeric", "PRNGKey", "Scalar")
STAND_INS: dict[str, dict[str, object]] = {"chex": dict.fromkeys(CHEX_TYPES, Any), "jraph": {}}
"""Stand-ins for packages that submissions import: types used in annotations, and an empty module.
"""


def load_algoperf(location: str, device: jax.Device) -> AlgoPerfSubmission[Array]:
    """Load a submission written for AlgoPerf; it is not set up yet."""
    file = entry_file(location)
    enter_old_names()
    utilities = {"jax_sharding_utils": sharding_utilities(device)}
    module = load_module(file, utilities, STAND_INS)
    return AlgoPerfSubmission(module, JaxBridge(has_device_axis=_uses_pmap(file)))


def _uses_pmap(file: Path) -> bool:
    tree = ast.parse(file.read_bytes())
    return any(isinstance(node, ast.Attribute) and node.attr == "pmap" for node in ast.walk(tree))


def sharding_utilities(device: jax.Device) -> dict[str, object]:
    """AlgoPerf's `jax_sharding_utils` for a single device."""
    mesh = Mesh(np.array([device]), ("batch",))
    replicas = NamedSharding(mesh, PartitionSpec())
    batch_slices = NamedSharding(mesh, PartitionSpec("batch"))
    return {
        "get_replicate_sharding": lambda: replicas,
        "get_batch_dim_sharding": lambda: batch_slices,
        "replicate": lambda tree: jax.device_put(tree, replicas),
        "shard_along_batch_dim": lambda tree: jax.device_put(tree, batch_slices),
    }


class JaxWorkload(AlgoPerfWorkload[Array]):
    """Forward passes as pure functions of the parameters, and the loss of logits.

    Attributes:
        traces: how often `model_fn` was called; a compiled update calls it only when traced.
    """

    def __init__(self, problem: JaxProblem, point: Hyperparameters) -> None:
        super().__init__(problem, point)
        self._problem = problem
        self.traces = 0

    def model_fn(  # noqa: PLR0917, its arguments are AlgoPerf's
        self,
        params: Mapping[str, Array],
        augmented_and_preprocessed_input_batch: Mapping[str, Array],
        model_state: Mapping[str, Array],
        mode: ForwardPassMode,
        rng: Array | None,
        update_batch_norm: bool,
        dropout_rate: float | None = None,
        use_running_average_bn: bool | None = None,
    ) -> tuple[Array, Mapping[str, Array]]:
        """Logits (batch, ..., outputs) in float32, and the running statistics after the pass."""
        inputs, problem = augmented_and_preprocessed_input_batch["inputs"], self._problem
        self.traces += 1
        if mode is ForwardPassMode.EVAL or use_running_average_bn:
            logits = problem.evaluation_logits(params, model_state, inputs)
            return logits.astype(jnp.float32), model_state
        rate = self._static(self.dropout_rate(dropout_rate))
        logits, statistics = problem.training_logits(params, inputs, rng, rate)
        if statistics and update_batch_norm:
            model_state = move_buffers(dict(model_state), statistics)
        return logits.astype(jnp.float32), model_state

    def loss_fn(
        self,
        label_batch: Array,
        logits_batch: Array,
        mask_batch: Array | None = None,
        label_smoothing: float | Array = 0.0,
    ) -> dict[str, Array]:
        """Sum of the losses, number of valid targets, and the loss of each target.

        Smoothed labels y' = (1 - s) y + s / K have the loss (1 - s) l(y) - s mean_k log p_k.
        """
        losses = self._problem.loss.per_target(logits_batch, label_batch)
        is_none = isinstance(label_smoothing, int | float) and label_smoothing == 0.0
        if self._problem.loss_name == "cross_entropy" and not is_none:
            uniform = -jax.nn.log_softmax(logits_batch).mean(-1)
            losses = (1.0 - label_smoothing) * losses + label_smoothing * uniform
        valid = jnp.asarray(float(losses.size))
        if mask_batch is not None:
            shape = mask_batch.shape + (1,) * (losses.ndim - mask_batch.ndim)
            mask = jnp.broadcast_to(mask_batch.reshape(shape), losses.shape).astype(losses.dtype)
            losses, valid = losses * mask, mask.sum()
        return {"summed": losses.sum(), "n_valid_examples": valid, "per_example": losses}

    def _static(self, rate: Any) -> float | None:
        """A dropout rate as a number; for a traced value, the rate among the hyperparameters.

        Raises:
            HarnessError: the rate is traced and no hyperparameter gives it; a model needs a number.
        """
        if rate is None or not isinstance(rate, jax.core.Tracer):
            return None if rate is None else float(rate)
        if self.point_rate is None:
            raise HarnessError(
                "dropout_rate is an argument of the compiled update that no hyperparameter gives",
                "run it on a workload without dropout, or with the rate in its search space",
            )
        return self.point_rate


class JaxBridge:
    """`harness.submission.algoperf.adapter.Bridge` in jax: the container is a dictionary.

    Args:
        has_device_axis: whether parameters, state and batches have a leading device axis.
    """

    def __init__(self, *, has_device_axis: bool) -> None:
        self._has_device_axis = has_device_axis
        self._passes = self._examples = 0

    def begin(
        self, problem: Problem[Array], point: Hyperparameters
    ) -> tuple[JaxWorkload, Any, Any]:
        """The workload, the parameters by name, and the running statistics by name."""
        self._problem = jax_problem(problem)
        self._workload = JaxWorkload(self._problem, point)
        return self._workload, *self._outward(self._problem.parameters, self._problem.buffers)

    def watch(self, optimizer_state: Any) -> None:
        """Does nothing: the whole optimizer state is saved."""

    def random(self, step: int) -> tuple[Any, Any, Any]:
        """Raw keys: arrays of two 32-bit words."""
        keys: tuple[Array, Array, Array] = _keys(self._problem.key, step)
        return keys

    def batch(self, batch: Batch[Array]) -> dict[str, Any]:
        """Inputs and targets by name."""
        self._examples = batch.inputs.shape[0]
        if self._has_device_axis:
            return {"inputs": batch.inputs[None], "targets": batch.targets[None]}
        return {"inputs": batch.inputs, "targets": batch.targets}

    def take_update(self, container: Any, model_state: Any) -> None:
        """Adopt the returned parameters and buffers; the previous ones may have been donated."""
        self._problem.parameters = self._inward(container)
        self._problem.buffers = self._inward(model_state or {})
        self._count()

    def _count(self) -> None:
        """Count an update's passes: as many as were traced when it was compiled."""
        if not self._examples:  # no batch was drawn: an evaluation was prepared
            return
        self._passes, self._workload.traces = self._workload.traces or self._passes, 0
        self._problem.note_passes(self._passes, self._passes, self._passes * self._examples)
        self._examples = 0

    def parameters(self, container: Any) -> Mapping[str, Array]:
        """Copies, whose memory the next update cannot reuse by donation."""
        copies: dict[str, Array] = _copy(self._inward(container))
        return copies

    def state_dict(self, optimizer_state: Any) -> StateDict[Array]:
        """The leaves of the optimizer's state; None in place of functions."""
        leaves = jax.tree.leaves(optimizer_state)
        return {"leaves": [None if callable(leaf) else leaf for leaf in leaves]}

    def load_state_dict(
        self, optimizer_state: Any, container: Any, state: StateDict[Array]
    ) -> tuple[Any, Any, Any]:
        """The saved leaves in the structure of a freshly initialised state, which provides
        functions.
        """
        del container
        fresh, structure = jax.tree.flatten(optimizer_state)
        saved_leaves = leaves_of(state_of(state, "optimizer"), "leaves")
        pairs = zip(fresh, saved_leaves, strict=True)
        leaves = [new if old is None else old for new, old in pairs]
        parameters: Mapping[str, Array] = arrays_of(state, "parameters")
        self._problem.parameters = dict(parameters)
        return (
            jax.tree.unflatten(structure, leaves),
            *self._outward(parameters, self._problem.buffers),
        )

    def _outward(self, parameters: Any, buffers: Any) -> tuple[Any, Any]:
        trees = _copy(dict(parameters)), _copy(dict(buffers))
        return jax.tree.map(lambda x: x[None], trees) if self._has_device_axis else trees

    def _inward(self, tree: Any) -> dict[str, Array]:
        return dict(_first(dict(tree)) if self._has_device_axis else tree)


@jax.jit
def _keys(key: Array, step: int) -> tuple[Array, Array, Array]:
    select, update, prepare = jax.random.split(jax.random.fold_in(key, step), 3)
    return jax.random.key_data(select), jax.random.key_data(update), jax.random.key_data(prepare)


@jax.jit
def _first(tree: Any) -> Any:
    return jax.tree.map(lambda value: value[0], tree)


def _copy(tree: Any) -> Any:
    return jax.tree.map(jnp.copy, tree)
