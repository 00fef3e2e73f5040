"""What a rules file says: workloads, held-out variants, targets, and how to integrate."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

AboveOne = Annotated[float, Field(gt=1.0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Quadrature(_Frozen):
    """How a profile is integrated: exactly, or by the trapezoid rule on so many linear points."""

    rule: Literal["trapezoid", "exact"] = "trapezoid"
    points: Annotated[int, Field(ge=2)] = 100


class RuleTarget(_Frozen):
    """The value of a validation metric that a trial must reach, for the import of logs."""

    metric: str
    direction: Literal["maximize", "minimize"]
    value: float


class Rules(_Frozen):
    """The rules of a score; the defaults are AlgoPerf's.

    `base` empty means every workload of the table that is no held-out variant.
    """

    base: tuple[str, ...] = ()
    tau_max: AboveOne = 4.0
    quadrature: Quadrature = Quadrature()
    held_out: dict[str, str] = Field(default_factory=dict)
    """Base workload of each held-out variant."""
    targets: dict[str, RuleTarget] = Field(default_factory=dict)
    cutoff: AboveOne = 4.0
    """A time over so many times the best of its column counts as not reached."""
    best_trial: Literal["evaluation", "time"] = "evaluation"
    """A study's trial: that of the smallest evaluation index, or of the smallest time."""
    missing: Literal["drop", "not_reached"] = "drop"
    """What a study without a time is: left out of the median, or not reached."""

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        if len(set(self.base)) != len(self.base):
            raise ValueError(f"base names a workload twice: {', '.join(self.base)}")
        if not self.base:
            return self
        for variant, base in self.held_out.items():
            if base not in self.base:
                raise ValueError(f"held_out.{variant} = '{base}' is not in base")
            if variant in self.base:
                raise ValueError(f"held_out.{variant} is in base too")
        return self
