"""Variants of a workload in a plan: what `drawn` and a width stand for, and their targets."""

from __future__ import annotations

from typing import Literal, NamedTuple

from harness.core.errors import HarnessError
from harness.core.seeds import derive
from harness.providers import registry
from workloads.drawing import NAME, drawn_model_name
from workloads.spec import WIDTH, SuiteWorkload
from workloads.targets import AnyTarget, BaselineTarget

DRAWN = "drawn"
"""The variant of a scoring round, which follows from the round seed."""
BASELINE = "adamw"
"""The submission whose trials set the target of a model without a calibrated one."""


class Goal(NamedTuple):
    """What a trial is to reach, and when it ends."""

    target: AnyTarget
    stop_rule: Literal["target", "budget"]


def goal_of(size: SuiteWorkload, variant: str) -> Goal:
    """The calibrated target of a workload and its fixed variants; else what the baseline reaches.

    Until the baseline has run nobody knows that, so the trial trains for its whole budget.
    """
    if not has_baseline_target(variant):
        return Goal(size.target, "target")
    target = BaselineTarget(
        metric=size.target.metric,
        direction=size.target.direction,
        baseline=BASELINE,
        fraction=size.baseline_fraction,
    )
    return Goal(target, "budget")


def has_baseline_target(variant: str) -> bool:
    """Whether a variant is a drawn architecture or a width, for which nothing is calibrated."""
    return NAME.fullmatch(variant) is not None or variant.startswith(WIDTH)


def budget_factor_of(suite: str, workload: str, variant: str) -> float:
    """What a variant makes of its workload's budget.

    Another width has the budget in which it makes as many steps, as far as the multiplications of a
    step tell; every other variant has the workload's own.
    """
    if not variant.startswith(WIDTH):
        return 1.0
    definition = registry.workload(workload)
    costs = (definition.cost(definition.sizes(suite, name)) for name in (variant, "base"))
    own, of_base = (cost.multiplications for cost in costs)
    return float(f"{own / of_base:.3g}")


def drawn_variant(round_seed: str, suite: str, workload: str) -> str:
    """The variant of a workload in a scoring round: the same for every entry.

    It is an architecture drawn from the workload's grammar (`workloads.drawing`), or one of its
    held-out variants where it declares no grammar at that suite's size.

    Raises:
        HarnessError: it has neither.
    """
    size = registry.workload(workload).at(suite)
    if size.drawn is not None:
        return drawn_model_name(derive("architecture", round_seed, suite, workload))
    names = sorted(size.variants)
    if not names:
        raise HarnessError(
            f"workload '{workload}' has neither a grammar nor held-out variants in suite {suite}",
            "leave out --variant",
        )
    return names[int(derive("variant", round_seed, suite, workload), 16) % len(names)]
