"""How many steps tuned AdamW makes in a budget here, compared with the reference machine.

    python benchmarks/steps_in_budget.py --label idle
    OPENBLAS_CORETYPE=Haswell python benchmarks/steps_in_budget.py --label OPENBLAS_CORETYPE
    taskset -c 0 python benchmarks/steps_in_budget.py --label "one core"
    python benchmarks/steps_in_budget.py --label "beside a busy process" --busy 1

Each workload's speed is measured in an empty cache, as by a first `harness run`; then one trial of
the shipped `adamw` at its default point trains for the scaled budget, or a fraction of it, whether
or not it reaches the target. On a machine whose speed drifts a single such pair says little:
`--repeats` makes several, in turn. It prints a line of a Markdown table for each workload: the
environment, medians of the speed, of its spread, of the budget and of the steps in it, and the
ratio of steps to those of the reference, which should lie within ten per cent of 1, with its range.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

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
class Pair:
    """One measurement of the speed, and one trial in the budget that follows from it."""

    speed: MachineSpeed
    budget_s: float
    """The whole budget."""
    steps: float
    """The number of steps in the whole budget."""
    reference_steps: float

    @property
    def ratio(self) -> float:
        """Its steps over the reference's."""
        return self.steps / self.reference_steps


def measure(request: PlanRequest, options: RunOptions, store: Path, fraction: float) -> Pair:
    """Measure the speed, then count the steps of one trial that spends the budget it gives.

    Args:
        request: workload, suite and framework.
        options: the trial's threads and folders.
        store: the folder of its record.
        fraction: the fraction of the reference's steps for which the trial gets time.
    """
    speed = measured_speed(request, options, lambda line: print(line, file=sys.stderr))
    first = plan(replace(request, speed=speed)).trials[0]
    runtime_s = workload(request.workload).at(request.suite).budget.runtime_s
    reference_steps = (runtime_s - speed.reference.startup_s) / speed.reference.step_s
    time_s = speed.startup_s + fraction * (first.budget.runtime_s - speed.startup_s)
    changes = {
        "stop_rule": "budget",
        "point": dict(resolve("adamw").space.default),
        "budget": first.budget.model_copy(update={"runtime_s": time_s}),
        "grid": first.grid.model_copy(update={"look_from": 1.0}),
    }
    trial = first.model_copy(update=changes)
    prepare_data(trial, options)
    result = run_trial(trial, store, options, Silent())
    if result.state not in ("budget", "reached"):
        raise SystemExit(f"{request.workload}: {result.state}: {result.reason}")
    return Pair(speed, first.budget.runtime_s, result.steps / fraction, reference_steps)


def row(label: str, request: PlanRequest, pairs: Sequence[Pair]) -> tuple[str, ...]:
    """The texts under `HEADS`."""
    ratios = [pair.ratio for pair in pairs]
    return (
        label,
        f"`{request.workload}`",
        request.framework,
        f"{1e3 * median(pair.speed.step_s for pair in pairs):.3g}",
        f"{median(pair.speed.spread for pair in pairs):.0%}",
        f"{median(pair.budget_s for pair in pairs):.3g}",
        f"{median(pair.steps for pair in pairs):.0f}",
        f"{pairs[0].reference_steps:.0f}",
        f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
    )


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """This many processes that compute all the time, ended afterwards."""
    with ExitStack() as stack:
        for _ in range(processes):
            spinning = subprocess.Popen([sys.executable, "-c", SPIN])
            stack.callback(spinning.wait)
            stack.callback(spinning.kill)
        yield


def parse() -> argparse.Namespace:
    """The command's flags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--label", default="this environment")
    parser.add_argument("--suite", default="quick")
    parser.add_argument("--workloads", nargs="+", default=["mlp", "resnet", "lm", "rnn"])
    parser.add_argument("--frameworks", nargs="+", default=["torch", "jax"])
    parser.add_argument("--busy", type=int, default=0, help="processes that compute meanwhile")
    parser.add_argument("--repeats", type=int, default=1, help="pairs of measurement and trial")
    parser.add_argument("--fraction", type=float, default=1.0, help="of the budget, each trial")
    parser.add_argument("--head", action="store_true", help="print the table's head first")
    return parser.parse_args()


def main() -> None:
    """Print the rows."""
    args = parse()
    if args.head:
        print("| " + " | ".join(HEADS) + " |")
        print("|" + " --- |" * len(HEADS))
    threads = min(suite(args.suite).hardware.cores, len(allowed_cores()))
    with tempfile.TemporaryDirectory() as folder, busy(args.busy):
        options = RunOptions(threads=threads, cache_dir=default_cache_dir())
        os.environ["XDG_CACHE_HOME"] = folder
        requests = [
            PlanRequest(name, "adamw", args.suite, framework)
            for framework in args.frameworks
            for name in args.workloads
        ]
        pairs: list[list[Pair]] = [[] for _ in requests]
        for number in range(args.repeats):
            for request, measured_so_far in zip(requests, pairs, strict=True):
                store = Path(folder) / f"store-{number}"
                measured_so_far.append(measure(request, options, store, args.fraction))
        for request, measured_pairs in zip(requests, pairs, strict=True):
            print("| " + " | ".join(row(args.label, request, measured_pairs)) + " |", flush=True)


if __name__ == "__main__":
    main()
