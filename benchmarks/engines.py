"""Whether a trial's time depends on its executor and its sandbox: it must not.

    python benchmarks/engines.py                                        # local, kernel and pool
    python benchmarks/engines.py --ways docker slurm ray --profile slurm=site.toml ray=ray.toml

In every round each way runs the same trial, in a random order: adamw's default point on the
workload, with this machine's budget. It prints, for each way, the median seconds to the target and
the ratio to `local` in the same round: the mean of its logarithm, with an interval. All intervals
hold together in 95 % of cases, so that among many ways none differs by chance alone. `local` runs
twice per round: the ratio of the two is the noise against which the others are compared. A round of
all ways takes about two minutes; with `--time-limit` no further round starts that might not end in
time, but at least two are made. An engine must be on this machine: `python tests/slurm/cluster.py
FOLDER` starts Slurm, `ray start --head --num-cpus 2` starts Ray. Leave the machine otherwise idle.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from harness.display.endings import EndingsDisplay
from harness.execution.base import RunOptions
from harness.execution.load import executor
from harness.machine.cores import allowed_cores
from harness.plan.plan import PlanRequest
from harness.plan.trial import Trial
from harness.record.plan import write_plan
from harness.runs.run import plan_here

BASE, AGAIN = "local", "local again"
FEWEST_ROUNDS = 2
"""An interval needs a standard deviation."""
LEVEL = 0.95


class Way(NamedTuple):
    """An executor and a sandbox."""

    executor: str
    sandbox: str = "plain"


WAYS: Mapping[str, Way] = {
    BASE: Way("local"),
    AGAIN: Way("local"),
    "kernel": Way("local", "kernel"),
    "docker": Way("local", "docker"),
    "pool": Way("pool"),
    "slurm": Way("slurm"),
    "ray": Way("ray"),
}


@dataclass(frozen=True)
class Ratio:
    """The times of a way over those of `local` in the same rounds."""

    mean: float
    low: float
    high: float

    @property
    def holds_one(self) -> bool:
        """Whether no difference is seen."""
        return self.low <= 1.0 <= self.high


def ratio(times: Sequence[float], base: Sequence[float], comparisons: int = 1) -> Ratio:
    """The geometric mean of the ratios, with Student's interval of their logarithms.

    Args:
        times: seconds, one value per round.
        base: the seconds to compare with, in the same rounds; at least two.
        comparisons: the number of such intervals that are to hold together (Bonferroni).
    """
    logs = np.log(np.asarray(times) / np.asarray(base))
    tail = (1.0 - LEVEL) / comparisons / 2
    reach = stats.t.ppf(1.0 - tail, len(logs) - 1) * stats.sem(logs)
    mean = float(logs.mean())
    return Ratio(*(float(np.exp(value)) for value in (mean, mean - reach, mean + reach)))


def time_s(way: Way, trial: Trial, options: RunOptions, profile: Path | None) -> float:
    """The seconds to its target that a trial takes in a store of its own."""
    with tempfile.TemporaryDirectory(prefix="guided-descent-engines-") as folder:
        store, silent = Path(folder), EndingsDisplay(lambda _: None)
        write_plan([trial], store)
        with executor(way.executor, store, silent, profile=profile) as place:
            (record,) = place.run([trial], replace(options, sandbox=way.sandbox))
    if record.result is None or record.result.time_to_target_s is None:
        why = record.result.reason if record.result else "it has not ended"
        raise SystemExit(f"by {way}: the trial has not reached its target: {why}")
    return record.result.time_to_target_s


def measure(
    ways: Sequence[str],
    rounds: int,
    trial: Trial,
    options: RunOptions,
    profiles: Mapping[str, Path],
    *,
    until_s: float,
) -> dict[str, list[float]]:
    """The times of each way, one value per round; the order differs from round to round.

    Args:
        ways: their names.
        rounds: the maximum number of rounds.
        trial: the trial that each way runs.
        options: the trial's options.
        profiles: the profiles of executors, by way.
        until_s: when the last round must have ended, by `time.monotonic`; the first two are exempt.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    generator, longest_s = random.Random(0), 0.0
    for number in range(1, rounds + 1):
        start_s = time.monotonic()
        if number > FEWEST_ROUNDS and start_s + longest_s > until_s:
            print(f"round {number} might not end within the time limit", flush=True)
            break
        for name in generator.sample(ways, len(ways)):
            times[name].append(time_s(WAYS[name], trial, options, profiles.get(name)))
            print(f"round {number} of {rounds}: {name} {times[name][-1]:.3f} s", flush=True)
        longest_s = max(longest_s, time.monotonic() - start_s)
    return times


def table(times: Mapping[str, Sequence[float]]) -> Table:
    """One row per way."""
    comparison = Table("way", "s to target (median)", "over local", "interval", "differs")
    for name, values in times.items():
        row = [name, f"{statistics.median(values):.3f}"]
        if name != BASE:
            interval = ratio(values, times[BASE], comparisons=len(times) - 1)
            row += [f"{interval.mean:.3f}", f"{interval.low:.3f} to {interval.high:.3f}"]
            row.append("" if interval.holds_one else "yes")
        comparison.add_row(*row)
    return comparison


def _profile(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    return name, Path(path)


def main() -> None:
    """Plan the trial on this machine, run it by every way, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choices = [name for name in WAYS if name not in (BASE, AGAIN)]
    parser.add_argument("--ways", nargs="+", choices=choices, default=["kernel", "pool"])
    parser.add_argument("--profile", nargs="+", type=_profile, default=[], metavar="WAY=FILE")
    parser.add_argument("--workload", default="mlp")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--time-limit", type=float, default=math.inf, help="seconds")
    arguments = parser.parse_args()
    if arguments.rounds < FEWEST_ROUNDS:
        parser.error(
            f"--rounds {arguments.rounds} must be at least {FEWEST_ROUNDS}: an interval needs a "
            "scatter"
        )
    until_s = time.monotonic() + arguments.time_limit
    options = RunOptions(threads=min(2, len(allowed_cores())))
    request = PlanRequest(arguments.workload, "adamw", ruleset="self", studies=1)
    with tempfile.TemporaryDirectory() as nothing:
        (trial,) = plan_here(request, options, Path(nothing), print).trials
    ways = [BASE, AGAIN, *arguments.ways]
    profiles = dict(arguments.profile)
    times = measure(ways, arguments.rounds, trial, options, profiles, until_s=until_s)
    Console().print(table(times))


if __name__ == "__main__":
    main()
