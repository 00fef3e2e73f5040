"""The worker: serves one trial over its wire and ends.

    HELLO -> READY -> WARM_UP -> WARM -> LOAD -> READY -> (GO -> SNAPSHOT, STOPPED)*

    RESTORE -> READY may come before the first GO, PROFILE -> PROFILED after the last STOPPED.

Whatever the submission raises ends the trial with FAILED, the worker's last words.
"""

from __future__ import annotations

import math
import socket
import time
import traceback
from array import array
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.seeds import integer
from harness.frameworks.base import Adapter, Examples, ModelSource
from harness.frameworks.load import adapter
from harness.frameworks.order import Order
from harness.protocol.messages import (
    TO_WORKER,
    Failed,
    Go,
    Hello,
    Load,
    Profile,
    Ready,
    Restore,
    Snapshot,
    Stop,
    Stopped,
    ToWorkerMessage,
    Warm,
    WarmUp,
)
from harness.protocol.wire import Tensors, Wire, WireClosedError
from harness.submission.interface import Submission
from harness.worker.budget import WorkerBudget
from harness.worker.profile import profiled
from harness.worker.state import Flattener, restored

WARM_UP_STEPS = 3
STATISTICS_BATCHES = 4
"""Batches whose mean statistics an average of weights is evaluated with; they are the first
ones.
"""
WARM_UP_BATCHES = 4


def serve_trial(connection: socket.socket) -> None:
    """Serve one trial over a connected socket; returns when the referee hangs up."""
    wire: Wire[ToWorkerMessage] = Wire(connection, TO_WORKER)
    try:
        Worker(wire).serve()
    except WireClosedError:
        return
    except MemoryError as error:
        wire.send(_error_report(error, "out_of_memory"))
    except Exception as error:  # whatever a submission raises is its trial's end, and is reported
        cause = "out_of_memory" if _is_out_of_memory(error) else "exception"
        wire.send(_error_report(error, cause))
        traceback.print_exc()  # last, for a full log raises, too


class Worker:
    """Model, training data and submission of one trial, driven by messages."""

    def __init__(self, wire: Wire[ToWorkerMessage]) -> None:
        self._wire = wire
        self._step = 0
        self._is_set_up = False

    def serve(self) -> None:
        """Answer messages until the referee hangs up."""
        while True:
            message, tensors = self._wire.receive()
            if isinstance(message, Hello):
                self._hello(message)
            elif isinstance(message, WarmUp):
                self._warm_up(message)
            elif isinstance(message, Load):
                self._load(message, tensors)
            elif isinstance(message, Restore):
                self._restore(message, tensors)
            elif isinstance(message, Go):
                self._go(message)
            elif isinstance(message, Profile):
                self._profile(message)
            # a STOP that crossed an unasked snapshot on its way needs no answer

    def _hello(self, hello: Hello) -> None:
        self._trial = hello
        self._adapter: Adapter = adapter(hello.framework, hello.device, hello.threads)
        self._adapter.pin()
        self._budget = WorkerBudget(hello.budget_s, hello.budget_steps)
        source = ModelSource(hello.package, hello.sizes, hello.loss, hello.precision, hello.compile)
        self._problem: Any = self._adapter.problem(
            source,
            self._budget,
            hello.batch_size,
            hello.train_examples,
            integer(hello.seed, "submission"),
        )
        self._submission = self._new_submission()
        self._wire.send(Ready())

    def _new_submission(self) -> Submission:
        return self._adapter.submission(self._trial.submission, self._trial.hyperparameters)

    def _warm_up(self, order: WarmUp) -> None:
        """A few steps on random batches, so that the timed part meets a compiled program."""
        start_s = time.monotonic()
        self._adapter.load(self._problem, self._random_parameters())
        stream = self._stream(self._random_examples())
        self._submission.setup(self._problem, self._trial.hyperparameters)
        steps = 0
        while steps < WARM_UP_STEPS and time.monotonic() - start_s < order.cap_s:
            self._budget.read(steps)
            self._submission.step(stream)
            steps += 1
        self._statistics_batches = [stream.next() for _ in range(STATISTICS_BATCHES)]
        self._eval_arrays()
        self._adapter.synchronize()
        self._submission = self._new_submission()
        self._budget.forget()
        self._wire.send(Warm(compile_s=time.monotonic() - start_s, steps=steps))

    def _random_parameters(self) -> dict[str, Any]:
        random = np.random.default_rng(0)
        drawn = {
            name: (0.05 * random.standard_normal(spec.shape)).astype(np.float32)
            for name, spec in self._problem.specs.items()
        }
        return drawn | {n: np.ones(b.shape, np.float32) for n, b in self._problem.buffers.items()}

    def _random_examples(self) -> Examples:
        random = np.random.default_rng(1)
        trial, count = self._trial, WARM_UP_BATCHES * self._trial.batch_size
        shape = (count, *trial.input_shape)
        if np.issubdtype(np.dtype(trial.input_dtype), np.integer):
            inputs = random.integers(trial.classes, size=shape).astype(trial.input_dtype)
        else:
            inputs = random.standard_normal(shape).astype(trial.input_dtype)
        targets = random.integers(trial.classes, size=(count, *trial.target_shape))
        return Examples(inputs, targets)

    def _stream(self, examples: Examples) -> Any:
        trial, order = self._trial, Order(self._trial.seed, len(examples.targets))
        return self._adapter.stream(examples, order, trial.batch_size, trial.augmentation)

    def _load(self, order: Load, tensors: Tensors) -> None:
        examples = Examples.open(Path(order.train_folder), self._trial.resident_gib)
        self._data = self._stream(examples)
        if self._problem.buffers:
            self._statistics_batches = [self._data.next() for _ in range(STATISTICS_BATCHES)]
            self._data.seek(0)
        self._adapter.load(self._problem, tensors)
        self._adapter.synchronize()
        self._wire.send(Ready())

    def _go(self, order: Go) -> None:
        self._adapter.pin()  # again: what ran since may have changed flags
        self._budget.go(order.share)
        if not self._is_set_up:
            self._set_up()
        loss = self._train(order.until_step)
        self._submit_snapshot(loss, order.checkpoint_bytes)

    def _set_up(self) -> None:
        self._submission.setup(self._problem, self._trial.hyperparameters)
        self._is_set_up = True

    def _restore(self, order: Restore, tensors: Tensors) -> None:
        """Go on where a dead referee's worker was when its last checkpoint was taken."""
        self._set_up()
        kept = restored(order.state, tensors, self._adapter.from_host)
        self._adapter.load(self._problem, kept["model"])
        self._submission.load_state_dict(kept["submission"])
        self._step = kept["step"]
        self._data.seek(kept["position"])
        self._problem.note_passes(**kept["passes"])
        self._budget.replay(array("d", kept["readings"].tolist()))
        self._adapter.set_random_state(self._problem, kept["random"])
        self._adapter.synchronize()
        self._wire.send(Ready())

    def _state(self) -> dict[str, Any]:
        """All that `_restore` needs; no array in it is copied yet."""
        counts = self._problem.counts
        return {
            "model": self._adapter.export({**self._problem.parameters, **self._problem.buffers}),
            "submission": self._submission.state_dict(),
            "step": self._step,
            "position": self._data.position,
            "passes": {name: counts[name] for name in ("forward", "backward", "examples")},
            "readings": np.array(self._budget.readings, dtype=np.float64),
            "random": self._adapter.random_state(self._problem),
        }

    def _train(self, until_step: int | None) -> Any:
        """Step until STOP or until a step; the loop that the clock times."""
        wire, budget, stream = self._wire, self._budget, self._data
        step, loss, end = self._submission.step, None, until_step or math.inf
        while self._step < end:
            if wire.poll():
                message, _ = wire.receive()
                if isinstance(message, Stop):
                    break
            budget.read(self._step)
            loss = step(stream)
            self._step += 1
        return loss

    def _submit_snapshot(self, loss: Any, checkpoint_bytes: int) -> None:
        self._adapter.synchronize()
        evaluated = self._eval_arrays()
        snapshot, tensors = self._snapshot(checkpoint_bytes)
        self._wire.send(snapshot, {**evaluated, **tensors})
        counts = self._problem.counts
        self._wire.send(
            Stopped(
                step=self._step,
                examples=self._data.position,
                train_loss=_finite(loss),
                learning_rate=_finite(self._submission.learning_rate()),
                forwards=counts["forward"],
                backwards=counts["backward"],
            )
        )

    def _profile(self, order: Profile) -> None:
        passes, limits = self._adapter.passes(self._problem), (order.steps, order.cap_s)
        wait = self._adapter.synchronize
        self._wire.send(profiled(self._submission, self._data, passes, wait, limits))

    def _snapshot(self, checkpoint_bytes: int) -> tuple[Snapshot, Tensors]:
        """The message of a snapshot, with the state and its tensors if they are wanted and fit.

        Taking the state comes after `_eval_arrays`, which may change it (averages are swapped in).
        """
        if not checkpoint_bytes:
            return Snapshot(step=self._step), {}
        flattener = Flattener(self._adapter.to_host)
        try:
            text = flattener.text(self._state())
        except Exception as error:  # a submission's own; it costs a checkpoint and no more
            why = f"{type(error).__name__}: {error}"[:1000]
            return Snapshot(step=self._step, no_state=why), {}
        if flattener.nbytes + len(text) > checkpoint_bytes:
            size = f"{flattener.nbytes + len(text)} bytes; {checkpoint_bytes} are allowed"
            return Snapshot(step=self._step, no_state=size), {}
        return Snapshot(step=self._step, state=text), flattener.tensors

    def _eval_arrays(self) -> dict[str, Any]:
        """What is to be evaluated: parameters and, if the model has any, running statistics."""
        problem, parameters = self._problem, self._submission.eval_parameters()
        if problem.buffers and self._submission.averages_weights:
            problem.recompute_statistics(parameters, self._statistics_batches)
        return self._adapter.export({**parameters, **problem.buffers})


def _finite(value: Any) -> float | None:
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else None


def _is_out_of_memory(error: Exception) -> bool:
    """Frameworks raise their own kinds; their texts are what they have in common."""
    text = f"{type(error).__name__} {error}".lower()
    words = ("outofmemory", "out of memory", "can't allocate memory", "resource_exhausted")
    return any(word in text for word in words)


def _error_report(error: BaseException, cause: Any) -> Failed:
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    where = f"{last.filename}:{last.lineno} in {last.name}: {last.line or ''}" if last else ""
    if isinstance(error, SyntaxError):
        where = f"{error.filename}:{error.lineno}: {(error.text or '').strip()}"
    text = f"{type(error).__name__}: {error}"
    return Failed(cause=cause, error=text[:4000], frame=where[:4000])
