"""What a command says of a plan before anything trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.cli.estimate import count_text, duration

if TYPE_CHECKING:
    from harness.plan.plan import Plan, PlanRequest
    from harness.plan.trial import TrialBudget


def plan_lines(request: PlanRequest, plan: Plan) -> tuple[str, ...]:
    """A plan's submission and workload, its target, this machine's speed and the budget."""
    first = plan.trials[0]
    return (
        f"{request.submission} ({request.framework}) on {request.workload}, "
        f"suite {request.suite}, ruleset {request.ruleset}, {_device_text(request)}",
        f"target: {first.target}",
        *_speed_lines(first.budget),
        _plan_line(plan),
    )


def _device_text(request: PlanRequest) -> str:
    return request.device if request.devices == 1 else f"{request.devices} x {request.device}"


def _plan_line(plan: Plan) -> str:
    budget, count = plan.trials[0].budget, count_text(len(plan.trials))
    if budget.steps is not None:
        return f"plan: {count} of at most {budget.steps} steps"
    return f"plan: {count} of at most {budget.runtime_s:.4g} s; {_longest_text([plan])}"


def total_line(plans: Sequence[Plan]) -> str:
    """What several plans take together; empty for a single one, and if they count steps."""
    if len(plans) == 1 or any(plan.trials[0].budget.steps is not None for plan in plans):
        return ""
    count = count_text(sum(len(plan.trials) for plan in plans))
    return f"in all: {count}; {_longest_text(plans)}"


def _longest_text(plans: Sequence[Plan]) -> str:
    timed_s = sum(plan.timed_s for plan in plans)
    worst_case_s = sum(plan.worst_case_s for plan in plans)
    return f"at most {duration(timed_s)} on the clock, {duration(worst_case_s)} with warm-up"


def _speed_lines(budget: TrialBudget) -> tuple[str, ...]:
    if (speed := budget.speed) is None:
        return ()
    here, there = 1.0 / speed.step_s, 1.0 / speed.reference.step_s
    return (
        f"speed: {here:,.4g} adamw steps a second here, {there:,.4g} on the reference machine: "
        f"budget {budget.runtime_s:.4g} s",
    )
