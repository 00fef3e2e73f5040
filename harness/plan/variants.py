"""Variants of a workload in a plan: drawn architectures and widths, and their targets."""

from __future__ import annotations

from typing import Literal, NamedTuple

from harness.core.errors import HarnessError
from harness.core.seeds import derive
from harness.providers import registry
from workloads.drawing import NAME, drawn_model_name
from workloads.spec import WIDTH, SuiteWorkload
from workloads.targets import AnyTarget, BaselineTarget

DRAWN = "drawn"
"""The name that a plan replaces by the architecture drawn for the round."""
BASELINE = "adamw"
"""The submission whose trials set the target of a model without a calibrated one."""


class Goal(NamedTuple):
    """A trial's target and stop rule."""

    target: AnyTarget
    stop_rule: Literal["target", "budget"]


def goal_of(size: SuiteWorkload, variant: str) -> Goal:
    """The calibrated target of a workload and its fixed variants; otherwise one set by a baseline.

    A target set by a baseline is not known in advance, so the trial trains for its whole budget.
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
    """Whether a variant is a drawn architecture or a width, which have no calibrated target."""
    return NAME.fullmatch(variant) is not None or variant.startswith(WIDTH)


def budget_factor_of(suite: str, workload: str, variant: str) -> float:
    """The factor of a variant on its workload's budget.

    A width's budget holds about as many steps as the base's, judged by the multiplications of a
    step; every other variant has the workload's own budget.
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
    held-out variants if it declares no grammar at that suite's size.

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
