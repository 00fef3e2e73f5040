"""How many steps tuned AdamW makes in a budget here, against the reference machine's.

    python benchmarks/steps_in_budget.py --label idle
    OPENBLAS_CORETYPE=Haswell python benchmarks/steps_in_budget.py --label OPENBLAS_CORETYPE
    taskset -c 0 python benchmarks/steps_in_budget.py --label "one core"
    python benchmarks/steps_in_budget.py --label "beside a busy process" --busy 1

Each workload's speed is measured anew in a cache of its own, as a first `harness run` would; then
one trial of the shipped `adamw` at its default point trains for the whole scaled budget, whether or
not it reaches the target. Printed is a line of a Markdown table for each: the environment, the
speed, the budget, the steps made, and their ratio to those of the reference, which is to lie within
ten per cent of 1.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.execution.base import RunOptions
from harness.execution.resolved import prepare_data
from harness.execution.trial import run_trial
from harness.machine.cores import allowed_cores
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import MachineSpeed
from harness.providers.registry import suite, workload
from harness.record.recorder import Silent
from harness.speed.factor import measured_speed
from harness.submission.resolution import resolve
from workloads.data.paths import default_cache_dir

HEADS = (
    "environment", "workload", "framework", "ms a step", "spread", "budget (s)", "steps",
    "reference", "ratio",
)  # fmt: skip
SPIN = "while True: pass"


@dataclass(frozen=True)
class Row:
    """One workload in one environment."""

    label: str
    request: PlanRequest
    speed: MachineSpeed
    budget_s: float
    steps: int

    def cells(self) -> tuple[str, ...]:
        """The texts under `HEADS`."""
        runtime_s = workload(self.request.workload).at(self.request.suite).budget.runtime_s
        reference = self.speed.reference
        reference_steps = (runtime_s - reference.startup_s) / reference.step_s
        return (
            self.label,
            f"`{self.request.workload}`",
            self.request.framework,
            f"{1e3 * self.speed.step_s:.3g}",
            f"{self.speed.spread:.1%}",
            f"{self.budget_s:.4g}",
            str(self.steps),
            f"{reference_steps:.0f}",
            f"{self.steps / reference_steps:.2f}",
        )


def measured(label: str, request: PlanRequest, options: RunOptions, store: Path) -> Row:
    """Measure the speed, then count the steps of one trial that spends the budget it gives."""
    speed = measured_speed(request, options, lambda line: print(line, file=sys.stderr))
    first = plan(replace(request, speed=speed)).trials[0]
    changes = {
        "stop_rule": "budget",
        "point": dict(resolve("adamw").space.default),
        "grid": first.grid.model_copy(update={"look_from": 1.0}),
    }
    trial = first.model_copy(update=changes)
    prepare_data(trial, options)
    result = run_trial(trial, store, options, Silent())
    if result.state not in ("budget", "reached"):
        raise SystemExit(f"{request.workload}: {result.state}: {result.reason}")
    return Row(label, request, speed, trial.budget.runtime_s, result.steps)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that compute all the time, ended afterwards."""
    with ExitStack() as stack:
        for _ in range(processes):
            spinning = subprocess.Popen([sys.executable, "-c", SPIN])
            stack.callback(spinning.wait)
            stack.callback(spinning.kill)
        yield


def parsed() -> argparse.Namespace:
    """The command's flags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--label", default="this environment")
    parser.add_argument("--suite", default="quick")
    parser.add_argument("--workloads", nargs="+", default=["mlp", "resnet", "lm", "rnn"])
    parser.add_argument("--frameworks", nargs="+", default=["torch", "jax"])
    parser.add_argument("--busy", type=int, default=0, help="processes that compute meanwhile")
    parser.add_argument("--head", action="store_true", help="print the table's head first")
    return parser.parse_args()


def main() -> None:
    """Print the rows."""
    args = parsed()
    if args.head:
        print("| " + " | ".join(HEADS) + " |")
        print("|" + " --- |" * len(HEADS))
    threads = min(suite(args.suite).hardware.cores, len(allowed_cores()))
    with tempfile.TemporaryDirectory() as folder, busy(args.busy):
        options = RunOptions(threads=threads, cache_dir=default_cache_dir())
        os.environ["XDG_CACHE_HOME"] = folder
        for framework in args.frameworks:
            for name in args.workloads:
                request = PlanRequest(name, "adamw", args.suite, framework)
                row = measured(args.label, request, options, Path(folder) / "store")
                print("| " + " | ".join(row.cells()) + " |", flush=True)


if __name__ == "__main__":
    main()
