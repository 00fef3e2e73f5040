"""The contents of a rules file: workloads, held-out variants, targets and quadrature."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

AboveOne = Annotated[float, Field(gt=1.0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Quadrature(_Frozen):
    """Integration of a profile: exact, or by the trapezoid rule on linearly spaced points."""

    rule: Literal["trapezoid", "exact"] = "trapezoid"
    points: Annotated[int, Field(ge=2)] = 100


class RuleTarget(_Frozen):
    """The value of a validation metric that a trial must reach, for the import of logs."""

    metric: str
    direction: Literal["maximize", "minimize"]
    value: float


class Rules(_Frozen):
    """The rules of a score; the defaults are AlgoPerf's.

    An empty `base` means every workload of the table except held-out variants.
    """

    base: tuple[str, ...] = ()
    tau_max: AboveOne = 4.0
    quadrature: Quadrature = Quadrature()
    held_out: dict[str, str] = Field(default_factory=dict)
    """The base workload of each held-out variant."""
    targets: dict[str, RuleTarget] = Field(default_factory=dict)
    cutoff: AboveOne = 4.0
    """A time of more than `cutoff` times the column's best counts as not reached."""
    time: Literal["hit", "crossing"] = "hit"
    """A trial's time: that of the first evaluation at the target, or the crossing between it and
    the previous miss, interpolated by the metric's values."""
    best_trial: Literal["evaluation", "time"] = "evaluation"
    """The trial that counts for a study: by the smallest evaluation index, or the smallest time."""
    missing: Literal["drop", "not_reached"] = "drop"
    """Whether a study without a time is omitted from the median or counts as not reached."""

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
