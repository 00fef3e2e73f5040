"""The cost of spinning at barriers beside other programs, and its benefit without them.

    python benchmarks/spinning.py [--workload mlp] [--seconds 5] [--rounds 3] [--busy 3]

A thread of libgomp, torch's pool, spins at a barrier before it sleeps. Each setting trains the
reference in turn, alone and beside some programs that compute, in both frameworks; it prints the
median of steps per second over rounds. The setting applies to the whole process tree, so to referee
and worker. `harness.machine.variables` explains why it is set; run this on an idle machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "libgomp's default": {"GOMP_SPINCOUNT": "300000"},
    "10,000": {"GOMP_SPINCOUNT": "10000"},
    "1,000, ours": {"GOMP_SPINCOUNT": "1000"},
    "passive": {"GOMP_SPINCOUNT": "0", "OMP_WAIT_POLICY": "passive"},
}
MEASURE = """
import sys
from harness.execution.base import RunOptions
from harness.plan.plan import PlanRequest
from harness.record.recorder import Silent
from harness.speed.reference_training import measurement_of, reference_trial
from harness.execution.trial import run_trial
from harness.record.store import last_attempt
from pathlib import Path
from tempfile import TemporaryDirectory

workload, framework, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
trial = reference_trial(PlanRequest(workload, "adamw", framework=framework), seconds)
with TemporaryDirectory() as folder:
    run_trial(trial, Path(folder), RunOptions(), Silent())
    print(measurement_of(last_attempt(Path(folder) / trial.folder), workload).step_s)
"""


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Start some programs that compute."""
    spin = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(spin) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def steps_a_second(setting: Mapping[str, str], words: list[str]) -> float:
    """One reference training in a process tree with a setting."""
    process = subprocess.run(
        [sys.executable, "-c", MEASURE, *words],
        env={**os.environ, **setting}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return 1.0 / float(process.stdout)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workload", default="mlp")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", type=int, default=3, help="how many programs compute beside it")
    arguments = parser.parse_args()
    print("| framework | spins | steps a second alone | beside others |\n|---|---|---|---|")
    for framework in ("torch", "jax"):
        words = [arguments.workload, framework, str(arguments.seconds)]
        rates: dict[tuple[str, int], list[float]] = {}
        for _ in range(arguments.rounds):  # in turn, for a machine's speed drifts
            for name, setting in SETTINGS.items():
                for count in (0, arguments.busy):
                    with busy(count):
                        rate = steps_a_second(setting, words)
                    rates.setdefault((name, count), []).append(rate)
        for name in SETTINGS:
            alone, beside = (median(rates[name, count]) for count in (0, arguments.busy))
            print(f"| {framework} | {name} | {alone:,.0f} | {beside:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
