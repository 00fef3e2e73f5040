"""Two ports of one method, torch and jax: whether their steps agree, and what a step costs.

    python benchmarks/validity_ports.py --store runs/ports --time-limit 570 --write docs/SCORING.md

Both search the same points on the same instances of problems that count steps (suite `landscapes`),
study by study, alternating which of the two goes first, and are compared trial by trial
(`scoring.attribution`). Nothing starts that might not end within the limit; the same command
continues. Each time it ends, it writes the finished methods to `benchmarks/records/ports.json`, and
the table between the page's two marks; `--time-limit 0` only writes the page. Steps do not depend
on other load on the machine, but seconds do: leave it idle.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from limited_runs import LimitedRuns, days, this_machine
from validity_page import add_flags, markdown, show

from harness.plan.plan import Plan, PlanRequest
from harness.record.tables import results_frame
from harness.submission.reference import Framework
from scoring.attribution import Part, attribute
from scoring.evaluate import scored_trials
from scoring.rules import load_rules
from scoring.standing import HELD_RULE
from workloads.spec import Frozen

RECORDS = Path(__file__).parent / "records" / "ports.json"
FRAMEWORKS: tuple[Framework, Framework] = ("torch", "jax")
METHODS = ("sgd", "adamw", "lion", "muon", "shampoo", "soap")
WORKLOADS = ("noisy_quadratic", "small_mlp")


class Factor(Frozen):
    """The factor of torch over jax, above 1 if torch is better, and its interval."""

    factor: float
    low: float
    high: float

    @classmethod
    def of(cls, part: Part) -> Factor:
        """A part of an attribution, to four decimals."""
        low, high = round(part.low, 4), round(part.high, 4)
        return cls(factor=round(part.factor, 4), low=low, high=high)

    def __str__(self) -> str:
        return f"{self.factor:.3f} [{self.low:.3f}, {self.high:.3f}]"


class PortsRow(Frozen):
    """The differences between the two ports of one method."""

    method: str
    trials: int
    """The number of trials of each port."""
    both: int
    """The number of trials in which both reached the target."""
    same: int
    """The number of those in which both took the same number of steps."""
    steps: Factor
    step_cost: Factor
    seconds: Factor
    remark: str
    hardware: str
    """The fingerprint of the machine."""
    begun_at: str
    """When its first trial began, UTC, ISO 8601."""


class Ports(Frozen):
    """All methods whose trials have ended, and where and when they ran."""

    machine: str
    """The machine in words."""
    workloads: tuple[str, ...]
    rows: tuple[PortsRow, ...]


@dataclass(frozen=True)
class Design:
    """The methods, workloads and studies to run."""

    methods: Sequence[str] = METHODS
    workloads: Sequence[str] = WORKLOADS
    studies: int = 2
    suite: str = "landscapes"

    def plans(self, runs: LimitedRuns, method: str) -> tuple[Plan, ...]:
        """Those of both ports on each workload, each with all studies."""
        return tuple(
            runs.plan(PlanRequest(workload, method, self.suite, framework, studies=self.studies))
            for workload in self.workloads
            for framework in FRAMEWORKS
        )


def in_turn(plans: Sequence[Plan]) -> Iterator[Plan]:
    """The parts of two ports' plans: a study of one, then the same study of the other."""
    numbers = sorted({trial.study for plan in plans for trial in plan.trials})
    for number in numbers:
        for plan in plans if number % 2 else reversed(plans):
            yield replace(plan, trials=tuple(t for t in plan.trials if t.study == number))


def run_ports(design: Design, store: Path, time_limit_s: float) -> Iterator[PortsRow]:
    """Run what is missing, and read the finished methods."""
    runs = LimitedRuns(store, time.monotonic() + time_limit_s)
    for method in design.methods:
        plans = design.plans(runs, method)
        if all(runs.run_in_time(part) for part in in_turn(plans)):
            yield read_ports(method, plans, store)


def read_ports(method: str, plans: Sequence[Plan], store: Path) -> PortsRow:
    """The comparison from the records of both ports of a method.

    Raises:
        SystemExit: on no workload have both ports reached the target in two trials.
    """
    identities = [trial.identity for plan in plans for trial in plan.trials]
    frame = results_frame(store)
    frame = scored_trials(
        frame[frame["identity"].isin(identities)], (HELD_RULE, "mixed-frameworks")
    )
    first, second = (f"{method} ({framework})" for framework in FRAMEWORKS)
    attribution = attribute(frame, first, second, load_rules())
    if attribution is None:
        raise SystemExit(f"{method}: no workload has two trials that both ports reached")
    keys = ["workload", "study", "trial"]
    steps = frame.pivot(index=keys, columns="framework", values="steps_to_target")
    return PortsRow(
        method=method,
        trials=len(steps),
        both=attribution.studies,
        same=int((steps[FRAMEWORKS[0]] == steps[FRAMEWORKS[1]]).sum()),
        steps=Factor.of(attribution.steps),
        step_cost=Factor.of(attribution.step_cost),
        seconds=Factor.of(attribution.seconds),
        remark=attribution.remark,
        hardware=str(frame["hardware"].iloc[0]),
        begun_at=str(frame["begun_at"].min()),
    )


def lines(ports: Ports) -> Iterator[str]:
    """The table."""
    workloads = " and ".join(f"`{name}`" for name in ports.workloads)
    yield f"Measured {days(row.begun_at for row in ports.rows)} on {ports.machine}, on"
    yield f"{workloads}: factors above 1 where torch needs less, with 95 % intervals."
    yield ""
    head = [
        "method", "trials", "both reached", "in the same steps", "steps", "cost of a step",
        "seconds",
    ]  # fmt: skip
    rows = [
        [f"`{r.method}`", *map(str, (r.trials, r.both, r.same, r.steps, r.step_cost, r.seconds))]
        for r in ports.rows
    ]
    yield from markdown(head, rows)
    apart = [f"`{r.method}`" for r in ports.rows if not r.steps.low <= 1.0 <= r.steps.high]
    yield f"Steps differ beyond noise: {', '.join(apart) or 'of no method'}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Design()
    add_flags(parser, Path("runs/ports"), RECORDS)
    parser.add_argument("--methods", nargs="+", default=default.methods)
    parser.add_argument("--workloads", nargs="+", default=default.workloads)
    parser.add_argument("--studies", type=int, default=default.studies)
    arguments = parser.parse_args()
    design = Design(arguments.methods, arguments.workloads, arguments.studies)
    if arguments.time_limit > 0:
        rows = tuple(run_ports(design, arguments.store, arguments.time_limit))
        print(f"{len(rows)} of {len(design.methods)} methods are whole")
        if rows:
            machine = this_machine(row.hardware for row in rows)
            ports = Ports(machine=machine, workloads=tuple(design.workloads), rows=rows)
            arguments.json.write_text(ports.model_dump_json(indent=1) + "\n", encoding="utf-8")
    ports = Ports.model_validate_json(arguments.json.read_text(encoding="utf-8"))
    show(lines(ports), "ports", arguments.write)


if __name__ == "__main__":
    main()
