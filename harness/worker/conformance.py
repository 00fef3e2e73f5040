"""The checks of `harness check`: they test a submission's first steps in many ways.

Each check starts with fresh parameters and a fresh submission, on the random batches of a warm-up.
An exception in a check is its finding, and the next check runs.
"""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Generic, cast

import numpy as np
import numpy.typing as npt

from harness.frameworks.base import TrainingBackend, TrainingProblem, TrainingStream
from harness.protocol.messages import Checked, CheckName, Finding, Verdict
from harness.submission.interface import Hyperparameters, Submission
from harness.submission.read_point import ReadPoint
from harness.submission.state import ArrayT, StateDict, state_of
from harness.worker.report import error_report
from harness.worker.state import Flattener, unflatten

STEPS = 3
MOST_TIMED_STEPS, MOST_TIMED_S = 10, 2.0
MOST_IDLE_STEPS = 12
"""The steps after which something must have changed: workers that average meet every few."""
MOST_NAMES = 5
LARGE_RATE = 1000.0
"""The factor on the learning rate at which a submission may diverge but must not raise."""
Arrays = Mapping[str, npt.NDArray[np.float32]]


@dataclass
class Conformance(Generic[ArrayT]):
    """Checks one submission on one problem.

    Args:
        backend: the framework's.
        problem: the workload's; its parameters are overwritten.
        start: the initial parameters and buffers of each check.
        new_submission: creates a submission at a point, not yet set up.
        new_stream: creates a stream of the random batches.
        point: a value for each hyperparameter.
        read_budget: is called before each step.
        folder: of the submission's copy; it is removed from errors.
        connections: the network connections attempted so far, in words.
    """

    backend: TrainingBackend[ArrayT]
    problem: TrainingProblem[ArrayT]
    start: Arrays
    new_submission: Callable[[Hyperparameters], Submission[ArrayT]]
    new_stream: Callable[[], TrainingStream[ArrayT]]
    point: Hyperparameters
    read_budget: Callable[[int], None]
    folder: str = ""
    connections: Sequence[str] = ()
    _findings: list[Finding] = field(default_factory=list)

    def run(self, *, is_brief: bool) -> Checked:
        """Run all checks, or only the first, which times the steps."""
        first_step_s, step_s = self._step_times()
        memory_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        names: tuple[CheckName, ...] = ("steps",)
        if not is_brief and not self._has_failed:
            checks = self._checks()
            names += tuple(checks)
            for name, check in checks.items():
                self._guard(name, check, "warn" if name == "missing_gradients" else "fail")
        failed_checks = {finding.check for finding in self._findings}
        passes = [Finding(check=name) for name in names if name not in failed_checks]
        findings = tuple(self._findings + passes)
        return Checked(
            findings=findings,
            first_step_s=first_step_s,
            step_s=step_s,
            memory_bytes=memory_bytes if step_s else 0,
        )

    def _checks(self) -> dict[CheckName, Callable[[], None]]:
        """All checks but the first, in order."""
        checks: dict[CheckName, Callable[[], None]] = {
            "updates": self._check_updates,
            "hyperparameters": self._check_hyperparameters,
            "state": self._check_state,
            "determinism": self._check_determinism,
            "zero_gradients": self._check_zero_gradients,
        }
        names = list(self.problem.specs)
        lacking = self.backend.without_gradients(self.problem, names[: len(names) // 2])
        if lacking is not None:
            checks["missing_gradients"] = partial(self._check_missing_gradients, lacking)
        return checks | {
            "large_rate": self._check_large_rate,
            "no_network": self._check_no_network,
        }

    @property
    def _has_failed(self) -> bool:
        return any(finding.verdict == "fail" for finding in self._findings)

    def _guard(
        self, name: CheckName, check: Callable[[], None], if_raised: Verdict = "fail"
    ) -> None:
        try:
            check()
        except Exception as error:  # a submission's own, and this check's finding
            report = error_report(error, self.folder)
            report = report.model_copy(
                update={"error": report.error[:1500], "frame": report.frame[:400]}
            )
            self._note(name, if_raised, report.text)

    def _note(self, name: CheckName, verdict: Verdict, detail: str) -> None:
        self._findings.append(Finding(check=name, verdict=verdict, detail=detail[:2000]))

    def _step_times(self) -> tuple[float, float]:
        """The seconds of the first step, and of a later one; 0 if there was none."""
        times: list[float] = []
        self._guard("steps", lambda: self._time_steps(times))
        return (times[0], median(times[1:])) if len(times) > 1 else (0.0, 0.0)

    def _time_steps(self, times: list[float]) -> None:
        submission, stream = self._begin(), self.new_stream()
        until_s = time.monotonic() + MOST_TIMED_S
        while len(times) < STEPS or (len(times) < MOST_TIMED_STEPS and time.monotonic() < until_s):
            start_s = time.perf_counter()
            self.read_budget(len(times))
            loss = submission.step(stream)
            self.backend.synchronize()
            times.append(time.perf_counter() - start_s)
        if loss is not None and not math.isfinite(float(loss)):
            self._note("steps", "warn", f"the loss is {float(loss)} after {len(times)} steps")

    def _check_updates(self) -> None:
        submission, stream, specs = self._begin(), self.new_stream(), self.problem.specs
        same, steps = list(specs), 0
        while len(same) == len(specs) and steps < MOST_IDLE_STEPS:
            self._steps(submission, stream, steps, STEPS)
            steps += STEPS
            same = self._unchanged_names(submission)
        if len(same) == len(specs):
            self._note("updates", "fail", f"no parameter has changed after {steps} steps")
        elif same:
            texts = [f"{name} ({specs[name].role})" for name in same]
            self._note("updates", "warn", f"not updated in {steps} steps: {_listing(texts)}")

    def _unchanged_names(self, submission: Submission[ArrayT]) -> list[str]:
        """The parameters that are what they were, also where they are evaluated."""
        looks = self._model(), self._eval_parameters(submission)  # an average may begin later
        return [
            name
            for name in self.problem.specs
            if all(np.array_equal(look[name], self.start[name]) for look in looks)
        ]

    def _check_hyperparameters(self) -> None:
        point = ReadPoint(self.point)
        self._steps(self._begin(point=point), self.new_stream(), 0, STEPS)
        if point.unread:
            self._note(
                "hyperparameters", "warn", f"not looked up: {_listing(sorted(point.unread))}"
            )

    def _check_state(self) -> None:
        submission, stream = self._begin(), self.new_stream()
        self._steps(submission, stream, 0, STEPS)
        model, position = self._model(), stream.position
        flattener = Flattener(self.backend.to_host)
        try:
            random = self.backend.random_state(self.problem)
            text = flattener.text({"submission": submission.state_dict(), "random": random})
        except Exception as error:  # it costs a checkpoint and no more
            report = error_report(error, self.folder)
            self._note("state", "warn", f"no checkpoint can be taken: {report.error[:1500]}")
            return
        tensors = {name: array.copy() for name, array in flattener.tensors.items()}
        expected = self._next(submission, stream)
        state = cast("StateDict[ArrayT]", unflatten(text, tensors, self.backend.from_host))
        restored_copy, again = self._begin(), self.new_stream()
        self.backend.load(self.problem, model)
        restored_copy.load_state_dict(state_of(state, "submission"))
        again.seek(position)
        self.backend.set_random_state(self.problem, state_of(state, "random"))
        if other := _differing(expected, self._next(restored_copy, again)):
            self._note("state", "fail", f"restored, it trains on otherwise: {other}")

    def _check_determinism(self) -> None:
        runs = []
        for _ in range(2):
            submission = self._begin()
            self._steps(submission, self.new_stream(), 0, STEPS)
            runs.append(self._eval_parameters(submission))
        if other := _differing(*runs):
            self._note("determinism", "warn", f"two runs from one start differ: {other}")

    def _check_zero_gradients(self) -> None:
        """With all parameters at zero most gradients are zero, and so is every weight norm."""
        submission = self._begin({name: np.zeros_like(a) for name, a in self.start.items()})
        self._steps(submission, self.new_stream(), 0, STEPS)
        now = self._eval_parameters(submission)
        if odd := [name for name in self.problem.specs if not np.isfinite(now[name]).all()]:
            self._note("zero_gradients", "warn", f"not finite from zero: {_listing(odd)}")

    def _check_missing_gradients(self, lacking: AbstractContextManager[None]) -> None:
        """Within `lacking`, half of the parameters have no gradient."""
        with lacking:
            submission = self._begin()
            self._steps(submission, self.new_stream(), 0, STEPS)
        now = self._eval_parameters(submission)
        if odd := [name for name in self.problem.specs if not np.isfinite(now[name]).all()]:
            self._note("missing_gradients", "warn", f"not finite without: {_listing(odd)}")

    def _check_large_rate(self) -> None:
        if "learning_rate" not in self.point:
            return
        rate = LARGE_RATE * float(self.point["learning_rate"])
        submission = self._begin(point={**self.point, "learning_rate": rate})
        self._steps(submission, self.new_stream(), 0, STEPS)

    def _check_no_network(self) -> None:
        """The last check, as it covers all the others."""
        if self.connections:
            self._note("no_network", "fail", f"it asked for {', '.join(self.connections)}")

    def _begin(
        self, start: Arrays | None = None, point: Hyperparameters | None = None
    ) -> Submission[ArrayT]:
        """Set a fresh submission up on the problem with its initial parameters."""
        point = self.point if point is None else point
        submission = self.new_submission(point)
        self.backend.load(self.problem, self.start if start is None else start)
        submission.setup(self.problem, point)
        return submission

    def _steps(
        self, submission: Submission[ArrayT], stream: TrainingStream[ArrayT], first: int, count: int
    ) -> None:
        for step in range(first, first + count):
            self.read_budget(step)
            submission.step(stream)

    def _next(
        self, submission: Submission[ArrayT], stream: TrainingStream[ArrayT]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """The parameters after the step that follows the first ones."""
        self._steps(submission, stream, STEPS, 1)
        return self._eval_parameters(submission)

    def _eval_parameters(
        self, submission: Submission[ArrayT]
    ) -> dict[str, npt.NDArray[np.float32]]:
        return self.backend.export(submission.eval_parameters())

    def _model(self) -> dict[str, npt.NDArray[np.float32]]:
        return self.backend.export({**self.problem.parameters, **self.problem.buffers})


def _differing(one: Arrays, other: Arrays) -> str:
    """The names of parameters that differ in any bit; empty if none does."""
    same = partial(np.array_equal, equal_nan=True)
    return _listing([name for name in one if not same(one[name], other[name])])


def _listing(names: Sequence[str]) -> str:
    text = ", ".join(names[:MOST_NAMES])
    return text if len(names) <= MOST_NAMES else f"{text} and {len(names) - MOST_NAMES} more"
