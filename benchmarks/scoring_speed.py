"""How fast scoring is: published logs to scores, and a million trials with a thousand resamples.

    python benchmarks/scoring_speed.py --logs LOGS/external_tuning

LOGS is the unpacked folder of AlgoPerf's published v0.5 logs; without it only the second part runs.
Imports are not counted; each part runs in a process of its own, whose peak memory is shown.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

ENTRIES, WORKLOADS, STUDIES, TRIALS = 1000, 20, 10, 5
RESAMPLES = 1000


def read_published(logs: Path) -> str:
    """Files to scores, three times; the first run may find the files outside the page cache."""
    from scoring.evaluate import score_table
    from scoring.logs import study_times
    from scoring.rules import load_rules

    rules = load_rules("algoperf-v0.5")
    times = []
    for _ in range(3):
        start, cpu = time.perf_counter(), time.process_time()
        board = score_table(study_times(logs, rules), rules)
        wall_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
        times.append(f"{wall_s:.2f} s ({cpu_s:.2f} of the processor)")
    trials = len(list(logs.glob("*/study_*/*/trial_*/eval_measurements.csv")))
    best = board.times.submissions[board.order()[0]]
    return f"{trials} trials to scores: {', '.join(times)} (best: {best} {board.scores.max():.4f})"


def million_trials() -> pd.DataFrame:
    """A results frame of 1,000 entries, 20 workloads, 10 studies, 5 trials."""
    random = np.random.default_rng(0)
    shape = (ENTRIES, WORKLOADS, STUDIES, TRIALS)
    size = int(np.prod(shape))
    entry, workload, study, trial = (axis.ravel() for axis in np.indices(shape))
    speed = 0.4 * random.standard_normal((ENTRIES, WORKLOADS))
    time_s = 100 * np.exp(speed[entry, workload] + 0.2 * random.standard_normal(size))
    is_reached = time_s < 200
    constant: dict[str, str | float] = {
        "suite": "made", "variant": "base", "framework": "one", "ruleset": "external",
        "reason": "", "timed_s": 200.0, "steps": 1000, "budget_s": 200.0, "best_metric": 0.5,
        "metric": "accuracy", "target": 0.5, "direction": "maximize", "workload_hash": "0",
        "hardware": "one", "origin": "measured", "scored": True, "instance_seed": "0",
        "record": "", "content_hash": "0", "location": "", "ruleset_trials": TRIALS,
        "suite_workloads": "", "round": "", "space": "", "devices": 1, "threads": "2",
        "sandbox": "plain", "versions": "python 3.11", "variables": "", "harness_hash": "0",
        "begun_at": "", "setup_s": 1.0, "warm_up_s": 1.0, "mark": "self-reported",
        "mark_reason": "",
    }  # fmt: skip
    return pd.DataFrame(
        {
            "submission": np.char.add("entry-", entry.astype(str)),
            "workload": np.char.add("workload-", workload.astype(str)),
            "study": study + 1,
            "trial": trial + 1,
            "identity": np.arange(size).astype(str),
            "state": np.where(is_reached, "reached", "budget"),
            "time_to_target_s": np.where(is_reached, time_s, np.nan),
            "last_miss_s": np.where(is_reached, 0.99 * time_s, np.nan),
            "hit_s": np.where(is_reached, 1.005 * time_s, np.nan),
            "steps_to_target": np.where(is_reached, time_s, np.nan),
            "examples_to_target": np.where(is_reached, time_s, np.nan),
            **constant,
        }
    )


def time_resampling() -> str:
    """The score of a million trials with its uncertainty."""
    from scoring.evaluate import score_results
    from scoring.uncertainty import assess

    frame = million_trials()
    start, cpu = time.perf_counter(), time.process_time()
    board = score_results(frame)
    scoring_s = time.perf_counter() - start
    sure = assess(board, "entry-0", RESAMPLES)
    total, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    method = sure.method if sure else "none"
    took = f"{scoring_s:.1f} s to scores, {total:.1f} s ({cpu_s:.1f} of the processor)"
    return f"{len(frame):,} trials: {took} with {RESAMPLES} resamples ({method})"


def in_own_process(task: Callable[..., str], *arguments: Path) -> None:
    """Run a task in a fresh process and print its output and the memory it took."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        summary, peak_kib = pool.apply(_measure, (task, arguments))
    print(f"{summary}; peak memory {peak_kib / 1024:.0f} MiB")


def _measure(task: Callable[..., str], arguments: tuple[Path, ...]) -> tuple[str, int]:
    summary = task(*arguments)
    return summary, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=Path, help="the folder of submissions' logs")
    logs = parser.parse_args().logs
    if logs is not None:
        in_own_process(read_published, logs)
    in_own_process(time_resampling)


if __name__ == "__main__":
    main()
