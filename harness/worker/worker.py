"""The worker: serves one trial over its wire, and exits.

    HELLO, slot -> READY -> WARM_UP -> WARM -> LOAD -> READY
        -> (GO -> (GLANCE -> GLANCED)* -> STOP -> SNAPSHOT, STOPPED)*

    INHERIT -> READY or RESTORE -> READY may come before the first GO, PROFILE -> PROFILED after the
    last STOPPED.

An exception of the submission ends the trial with FAILED, the worker's error report.
"""

from __future__ import annotations

import time
from array import array
from pathlib import Path
from typing import Generic, SupportsFloat

import numpy as np

from harness.core.seeds import integer
from harness.frameworks.base import TrainingBackend, TrainingStream
from harness.frameworks.examples import Examples, ModelSource
from harness.frameworks.model_source import shapes_of
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from harness.protocol.messages import (
    MOST_UNREAD,
    Check,
    Glance,
    Go,
    Hello,
    Inherit,
    Load,
    Profile,
    Ready,
    Restore,
    Stop,
    Warm,
    WarmUp,
)
from harness.protocol.slot import Flat
from harness.protocol.wire import Tensors, WireError
from harness.submission.algoperf.location import PREFIX
from harness.submission.entry import check_origin, search_first
from harness.submission.interface import Hyperparameters, Submission
from harness.submission.read_point import ReadPoint
from harness.submission.state import ArrayT
from harness.worker.budget import WorkerBudget
from harness.worker.checkpoint import WorkerState, unpack_state
from harness.worker.conformance import Conformance
from harness.worker.connections import ConnectionLog
from harness.worker.lines import Line
from harness.worker.profile import profile_steps
from harness.worker.snapshots import Moment, SnapshotSender
from harness.worker.warm_up import WARM_UP_STEPS, random_examples, random_parameters


def folder_of(trial: Hello) -> str:
    """The folder of a submission's files; empty if it is installed."""
    path = Path(trial.submission.removeprefix(PREFIX))
    if not path.is_absolute():
        return trial.import_from
    return str(path if path.is_dir() else path.parent)


def source_of(trial: Hello) -> ModelSource:
    """The source that a trial's model is built from."""
    return ModelSource(trial.package, trial.sizes, trial.loss, trial.precision, trial.compile)


class Worker(Generic[ArrayT]):
    """Model, training data and submission of one trial, driven by messages.

    Args:
        line: the connection of this rank to the referee.
        trial: the referee's first message.
        backend: the framework's backend.
        slot: the shared memory for glances.
    """

    def __init__(
        self,
        line: Line,
        trial: Hello,
        backend: TrainingBackend[ArrayT],
        slot: Flat,
    ) -> None:
        self._line, self._trial, self._backend = line, trial, backend
        self._connections = ConnectionLog(folder_of(trial)) if trial.notes_connections else None
        backend.pin()
        self._budget = WorkerBudget(trial.budget_s, trial.budget_steps, line.agree)
        self._source = source_of(trial)
        seed, count = integer(trial.seed, "submission"), trial.train_examples
        self._problem = backend.problem(
            ProblemConfig(
                source=self._source,
                budget=self._budget,
                batch_size=trial.batch_size,
                train_examples=count,
                seed=seed,
                step_hint=trial.step_hint,
                budget_s=trial.budget_s,
            )
        )
        if trial.import_from:
            search_first(trial.import_from)
        self._read_point = ReadPoint(trial.hyperparameters)
        self._submission = self._new_submission(self._read_point)
        if trial.import_from:
            check_origin(trial.import_from)
        shapes = shapes_of(self._source)
        self._snapshots = SnapshotSender(line, backend, self._problem, shapes, slot)
        self._data: TrainingStream[ArrayT]
        self._step = 0
        self._is_set_up = False

    def serve(self) -> None:
        """Answer messages until the referee closes the wire."""
        self._line.send(Ready())
        while True:
            message, tensors = self._line.receive()
            if isinstance(message, WarmUp):
                self._warm_up(message)
            elif isinstance(message, Load):
                self._load(message, tensors)
            elif isinstance(message, Inherit):
                self._inherit(message, tensors)
            elif isinstance(message, Restore):
                self._restore(message, tensors)
            elif isinstance(message, Go):
                self._go(message)
            elif isinstance(message, Profile):
                self._profile(message)
            elif isinstance(message, Check):
                self._line.send(self._conformance().run(is_brief=message.is_brief))
            # a STOP that crossed an unasked snapshot on its way needs no answer

    def _new_submission(self, point: Hyperparameters) -> Submission[ArrayT]:
        return self._backend.submission(self._trial.submission, point)

    def _warm_up(self, order: WarmUp) -> None:
        """Make a few steps on random batches, to compile programs before the timed part."""
        start_s = time.monotonic()
        self._backend.load(self._problem, random_parameters(self._source))
        stream = self._stream(random_examples(self._trial))
        self._submission.setup(self._problem, self._read_point)
        steps = 0
        agree = self._line.agree
        while steps < WARM_UP_STEPS and agree(time.monotonic() - start_s) < order.cap_s:
            self._budget.read(steps)
            self._submission.step(stream)
            steps += 1
        unread = tuple(sorted(self._read_point.unread))[:MOST_UNREAD]
        self._snapshots.take_batches(stream)
        self._snapshots.rehearse(self._submission)
        self._submission = self._new_submission(self._trial.hyperparameters)
        self._budget.forget()
        self._line.send(Warm(compile_s=time.monotonic() - start_s, steps=steps, unread=unread))

    def _stream(self, examples: Examples) -> TrainingStream[ArrayT]:
        trial, order = self._trial, Order(self._trial.seed, len(examples.targets))
        return self._backend.stream(examples, order, trial.batch_size, trial.augmentation)

    def _load(self, order: Load, tensors: Tensors) -> None:
        examples = Examples.open(Path(order.train_folder), self._trial.resident_gib)
        self._data = self._stream(examples)
        if self._problem.buffers:
            self._snapshots.take_batches(self._data)
            self._data.seek(0)
        self._backend.load(self._problem, tensors)
        self._backend.synchronize()
        self._line.send(Ready())

    def _go(self, order: Go) -> None:
        self._backend.pin()  # again: what ran since may have changed flags
        self._budget.go(order.fraction)
        if not self._is_set_up:
            self._set_up()
        stop, loss = self._train()
        self._snapshots.submit(
            self._submission, self._moment(loss), self._state, stop.checkpoint_bytes
        )

    def _set_up(self) -> None:
        self._submission.setup(self._problem, self._trial.hyperparameters)
        self._is_set_up = True

    def _inherit(self, order: Inherit, tensors: Tensors) -> None:
        """Start from the end of another trial: its weights and, if requested, its submission's
        state.

        Steps, budget, order of examples and random generators are this trial's own, from the start.
        """
        state: WorkerState[ArrayT] = unpack_state(order.state, tensors, self._backend.from_host)
        self._backend.load(self._problem, state["model"])
        self._set_up()
        if order.keeps == "state":
            # a torch optimizer's state holds hyperparameters, of which the trial's own are to stay
            inherit = getattr(self._submission, "inherit", None)
            if callable(inherit):
                inherit(state["submission"], order.hyperparameters)
            else:
                self._submission.load_state_dict(state["submission"])
        self._backend.synchronize()
        self._line.send(Ready())

    def _restore(self, order: Restore, tensors: Tensors) -> None:
        """Resume from a checkpoint of an earlier worker."""
        self._set_up()
        state = unpack_state(order.state, tensors, self._backend.from_host)
        self._backend.load(self._problem, state["model"])
        self._submission.load_state_dict(state["submission"])
        self._step = state["step"]
        self._data.seek(state["position"])
        self._problem.note_passes(**state["passes"])
        self._budget.replay(array("d", state["readings"].tolist()))
        self._backend.set_random_state(self._problem, state["random"])
        self._backend.synchronize()
        self._line.send(Ready())

    def _state(self) -> WorkerState[ArrayT]:
        """The state that `_restore` needs."""
        counts = self._problem.counts
        return {
            "model": self._backend.export({**self._problem.parameters, **self._problem.buffers}),
            "submission": self._submission.state_dict(),
            "step": self._step,
            "position": self._data.position,
            "passes": {name: counts[name] for name in ("forward", "backward", "examples")},
            "readings": np.array(self._budget.readings, dtype=np.float64),
            "random": self._backend.random_state(self._problem),
        }

    def _train(self) -> tuple[Stop, SupportsFloat | None]:
        """Make steps until STOP: the timed loop.

        Under a budget in steps, a step is made only if an order for a later step is known.
        """
        line, budget, stream = self._line, self._budget, self._data
        step, is_led = self._submission.step, self._trial.budget_steps is not None
        pace = self._backend.pace
        order: Glance | Stop | None = None
        loss: SupportsFloat | None = None
        while True:
            if order is None and (is_led or line.poll()):
                order = self._next_order()
            if order is not None and self._step >= (order.at_step or 0):
                if isinstance(order, Stop):
                    return order, loss
                self._snapshots.glance(self._submission, self._moment(loss))
                order = None
                continue
            budget.read(self._step)
            earlier, loss = loss, step(stream)
            pace(earlier)
            self._step += 1

    def _moment(self, loss: SupportsFloat | None) -> Moment:
        return Moment(self._step, self._data.position, loss)

    def _next_order(self) -> Glance | Stop:
        message, _ = self._line.receive()
        if not isinstance(message, Glance | Stop):
            raise WireError(f"{message.kind} in training; expected GLANCE or STOP")
        return message

    def _profile(self, order: Profile) -> None:
        passes, limits = self._backend.passes(self._problem), (order.steps, order.cap_s)
        wait, agree = self._backend.synchronize, self._line.agree
        self._line.send(
            profile_steps(self._submission, self._data, passes, wait, limits, agree=agree)
        )

    def _conformance(self) -> Conformance[ArrayT]:
        examples = random_examples(self._trial)
        return Conformance(
            self._backend,
            self._problem,
            start=random_parameters(self._source),
            new_submission=self._new_submission,
            new_stream=lambda: self._stream(examples),
            point=self._trial.hyperparameters,
            read_budget=self._budget.read,
            folder=folder_of(self._trial),
            connections=self._connections.attempts if self._connections else (),
        )
