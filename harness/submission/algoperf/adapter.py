"""Runs AlgoPerf's functions as a submission, calling them as its `submission_runner.py` does."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any, Generic, Protocol

from harness.submission.algoperf import spec
from harness.submission.algoperf.workload import AlgoPerfWorkload, point_object
from harness.submission.interface import Batch, Hyperparameters, Problem, Stream
from harness.submission.state import ArrayT, StateDict, count_of

IDLE_S = 0.01
"""Seconds that a step lasts once the submission has declared its training complete."""


class Bridge(Protocol[ArrayT]):
    """A framework's part: converts between a problem and the arguments of AlgoPerf's functions."""

    def begin(
        self, problem: Problem[ArrayT], point: Hyperparameters
    ) -> tuple[AlgoPerfWorkload[ArrayT], Any, Any]:
        """The workload, the parameters' container and the model's state at the start."""
        ...

    def watch(self, optimizer_state: Any) -> None:
        """Note the state that `init_optimizer_state` returned."""
        ...

    def random(self, step: int) -> tuple[Any, Any, Any]:
        """Random states for selecting data, for updating, and for preparing an evaluation."""
        ...

    def batch(self, batch: Batch[ArrayT]) -> dict[str, Any]:
        """A batch as a dictionary of inputs and targets."""
        ...

    def take_update(self, container: Any, model_state: Any) -> None:
        """Store the parameters and the model's state that an update has returned in the problem."""
        ...

    def parameters(self, container: Any) -> Mapping[str, ArrayT]:
        """Copies of the container's parameters, by name."""
        ...

    def state_dict(self, optimizer_state: Any) -> StateDict[ArrayT]:
        """The optimizer's state, without functions."""
        ...

    def load_state_dict(
        self, optimizer_state: Any, container: Any, state: StateDict[ArrayT]
    ) -> tuple[Any, Any, Any]:
        """Restore the optimizer's state, the container and the model's state into fresh ones."""
        ...


class _Queue(Generic[ArrayT]):
    """The stream as an iterator of dictionaries."""

    def __init__(self, stream: Stream[ArrayT], bridge: Bridge[ArrayT]) -> None:
        self.stream, self._bridge = stream, bridge

    def __iter__(self) -> _Queue[ArrayT]:
        return self

    def __next__(self) -> dict[str, Any]:
        return self._bridge.batch(self.stream.next())


class AlgoPerfSubmission(Generic[ArrayT]):
    """A submission that is written for AlgoPerf.

    `prepare_for_eval` runs before each snapshot, on the clock as in AlgoPerf, and the next update
    continues from its result. Running statistics are evaluated as the submission leaves them.

    Args:
        module: has `init_optimizer_state`, `update_params` and `data_selection`.
        bridge: the framework's bridge.
    """

    averages_weights = False

    def __init__(self, module: ModuleType, bridge: Bridge[ArrayT]) -> None:
        self._module, self._bridge = module, bridge
        self._prepare = getattr(module, "prepare_for_eval", None)
        self._takes_train_state = (
            "train_state" in inspect.signature(module.update_params).parameters
        )
        self._step = 0
        self._is_prepared = True
        self._is_complete = False
        self._queue: _Queue[ArrayT] | None = None

    def setup(self, problem: Problem[ArrayT], hyperparameters: Hyperparameters) -> None:
        """Make the workload and the optimizer's state."""
        self._problem = problem
        self._point = point_object(hyperparameters)
        self._workload, self._container, self._model_state = self._bridge.begin(
            problem, hyperparameters
        )
        self._optimizer_state = self._module.init_optimizer_state(
            self._workload,
            self._container,
            self._model_state,
            self._point,
            self._bridge.random(self._step)[1],
        )
        self._bridge.watch(self._optimizer_state)

    def step(self, stream: Stream[ArrayT]) -> None:
        """Select a batch and update the parameters; nothing once training is complete."""
        if self._is_complete:
            time.sleep(IDLE_S)
            return
        for_data, for_update, _ = self._bridge.random(self._step + 1)
        batch = self._module.data_selection(
            self._workload,
            self._queue_of(stream),
            self._optimizer_state,
            self._container,
            self._model_state,
            self._point,
            self._step,
            for_data,
        )
        try:
            self._take(
                self._module.update_params(
                    **self._arguments(for_update), batch=batch, **self._train_state()
                )
            )
        except spec.TrainingCompleteError:
            self._is_complete = True
        self._step += 1
        self._is_prepared = False

    def eval_parameters(self) -> Mapping[str, ArrayT]:
        """The parameters, once the submission has prepared them for an evaluation."""
        if self._prepare is not None and not self._is_prepared:
            self._take(self._prepare(**self._arguments(self._bridge.random(self._step)[2])))
            self._is_prepared = True
        return self._bridge.parameters(self._container)

    def learning_rate(self) -> float | None:
        """Unknown."""
        return None

    def state_dict(self) -> StateDict[ArrayT]:
        """The optimizer's state, the parameters, and the progress of training."""
        return {
            "optimizer": self._bridge.state_dict(self._optimizer_state),
            "parameters": self._bridge.parameters(self._container),
            "step": self._step,
            "is_prepared": self._is_prepared,
            "is_complete": self._is_complete,
        }

    def load_state_dict(self, state: StateDict[ArrayT]) -> None:
        """Restore all of it."""
        self._step = count_of(state, "step")
        self._is_prepared = bool(state["is_prepared"])
        self._is_complete = bool(state["is_complete"])
        self._optimizer_state, self._container, self._model_state = self._bridge.load_state_dict(
            self._optimizer_state, self._container, state
        )

    def _queue_of(self, stream: Stream[ArrayT]) -> _Queue[ArrayT]:
        if self._queue is None or self._queue.stream is not stream:
            self._queue = _Queue(stream, self._bridge)
        return self._queue

    def _arguments(self, random: Any) -> dict[str, Any]:
        """The arguments that `update_params` and `prepare_for_eval` share."""
        return {
            "workload": self._workload,
            "current_param_container": self._container,
            "current_params_types": self._workload.model_params_types,
            "model_state": self._model_state,
            "hyperparameters": self._point,
            "loss_type": self._workload.loss_type,
            "optimizer_state": self._optimizer_state,
            "eval_results": [],
            "global_step": self._step,
            "rng": random,
        }

    def _train_state(self) -> dict[str, Any]:
        if not self._takes_train_state:
            return {}
        spent_s = self._problem.budget.fraction * self._workload.max_allowed_runtime_sec
        state = {
            "validation_goal_reached": False,
            "test_goal_reached": False,
            "is_time_remaining": True,
            "last_eval_time": 0,
            "training_complete": False,
            "accumulated_submission_time": spent_s,
            "accumulated_eval_time": 0,
            "accumulated_logging_time": 0,
            "last_step_end_time": None,
        }
        return {"train_state": MappingProxyType(state)}

    def _take(self, result: tuple[Any, Any, Any]) -> None:
        self._optimizer_state, self._container, self._model_state = result
        self._bridge.take_update(self._container, self._model_state)
