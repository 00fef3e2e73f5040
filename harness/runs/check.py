"""Conformance checks of a submission, in under a minute and before any trial.

An ordinary worker, in the requested sandbox, runs a few steps on each workload's model
(`harness.worker.conformance`). The shipped `adamw` is timed for comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.execution.rehearsal import error_text, rehearsal
from harness.execution.resolved import ResolvedTrial, hello_of, resolve_trial
from harness.plan.plan import PlanRequest, plan
from harness.protocol.messages import Check, Checked, CheckName, Failed, Finding
from harness.protocol.slot import Slot
from harness.protocol.wire import WireError, WireTimeoutError
from harness.referee.conversation import SETUP_TIMEOUT_S
from harness.speed.reference_training import REFERENCE
from workloads.spec import Frozen

TIMEOUT_S = 120.0
STEPS = 1000
"""The budget that schedules see, in steps, so that repeated checks see the same one."""
MENDS: dict[CheckName, str] = {
    "steps": "the error names the line; `step` makes one update and returns the loss or None",
    "updates": "look at which parameters the rule takes: problem.specs has their roles and shapes",
    "hyperparameters": "use it, or take it out of space.toml: searched, it only scatters points",
    "state": "return all that the next step needs from state_dict, and put it back",
    "determinism": "draw random numbers from problem.generator (torch) or problem.seed (jax)",
    "zero_gradients": "keep norms and divisors away from zero, by an epsilon say",
    "missing_gradients": "pass over parameters whose grad is None, as torch's own optimizers do",
    "large_rate": "let a diverging trial go on: its end is the referee's to see",
    "no_network": "keep what it needs in its folder: a trial has no network (docs/TRUST.md)",
}
"""The hint shown with each check's finding."""


class WorkloadCheck(Frozen):
    """The results of all checks on one workload."""

    workload: str
    findings: tuple[Finding, ...]
    first_step_s: float
    step_s: float
    """The median duration of the later steps, in seconds; 0 if there were none."""
    reference_step_s: float
    """The same for the shipped adamw."""
    memory_bytes: int
    """Peak memory of the worker process, libraries included, in bytes."""
    reference_memory_bytes: int
    """The same for the shipped adamw."""

    @property
    def has_failed(self) -> bool:
        """Whether any check failed."""
        return any(finding.verdict == "fail" for finding in self.findings)


def check_submission(
    requests: tuple[PlanRequest, ...], options: RunOptions, say: Callable[[str], None]
) -> Iterator[WorkloadCheck]:
    """Check a submission on several workloads, one after another.

    Args:
        requests: one request per workload.
        options: sandbox, threads and folders.
        say: receives a line on what is being checked.

    Raises:
        HarnessError: a request cannot be planned.
    """
    trials = [_trial(request, options) for request in requests]
    for request, resolved_trial in zip(requests, trials, strict=True):
        say(f"checking {request.submission} ({request.framework}) on {request.workload}")
        own = _check(resolved_trial, options, is_brief=False)
        reference = _trial(replace(request, submission=REFERENCE, space=None, settings={}), options)
        reference_check = _check(reference, options, is_brief=True)
        yield WorkloadCheck(
            workload=request.workload,
            findings=own.findings,
            first_step_s=own.first_step_s,
            step_s=own.step_s,
            reference_step_s=reference_check.step_s,
            memory_bytes=own.memory_bytes,
            reference_memory_bytes=reference_check.memory_bytes,
        )


def _trial(request: PlanRequest, options: RunOptions) -> ResolvedTrial:
    """A trial with the default hyperparameters and a budget in steps."""
    (trial,) = plan(replace(request, ruleset="self", studies=1, trials=None)).trials
    budget = trial.budget.model_copy(update={"steps": STEPS})
    return resolve_trial(trial.model_copy(update={"budget": budget}), options)


def _check(resolved_trial: ResolvedTrial, options: RunOptions, *, is_brief: bool) -> Checked:
    with (
        rehearsal(resolved_trial, options) as (worker, copy),
        closing(Slot(resolved_trial.shapes)) as slot,
    ):
        limit_s = SETUP_TIMEOUT_S
        try:
            hello = hello_of(resolved_trial, copy, options.threads)
            answer = worker.begin(hello.model_copy(update={"notes_connections": True}), slot)
            if not isinstance(answer, Failed):
                limit_s = TIMEOUT_S
                answer = worker.ask(Check(is_brief=is_brief), limit_s)
        except WireTimeoutError:
            return _failure(f"it takes more than {limit_s:g} s")
        except WireError:
            return _failure(worker.exit_report())
    if isinstance(answer, Failed):
        return _failure(error_text(answer))
    if not isinstance(answer, Checked):
        raise HarnessError(f"the worker sent {answer.kind} instead of a check's result")
    return answer


def _failure(why: str) -> Checked:
    finding = Finding(check="steps", verdict="fail", detail=why[:2000])
    return Checked(findings=(finding,), first_step_s=0.0, step_s=0.0)
