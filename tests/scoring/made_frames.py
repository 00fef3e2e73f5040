"""Made-up results and curves frames with every column of the contract."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.core.canonical import sha256_text

Row = dict[str, object]
"""A trial's values by column."""


def row(submission: str, workload: str, study: int, time_s: float, **other: object) -> Row:
    """One trial that reached its target at `time_s`, or not if that is infinite."""
    trial = other.get("trial", 1)
    hit = bool(np.isfinite(time_s))
    key = f"{submission}/{workload}/{other.get('variant', 'base')}/{study}/{trial}"
    values = {
        "suite": "quick", "workload": workload, "variant": "base", "framework": "torch",
        "submission": submission, "content_hash": sha256_text(submission),
        "location": f"submissions/{submission}", "ruleset": "external", "ruleset_trials": 0,
        "suite_workloads": "", "round": "c" * 64, "space": "lr", "study": study, "trial": trial,
        "identity": sha256_text(key), "state": "reached" if hit else "budget",
        "reason": "target met" if hit else "budget spent", "time_to_target_s": time_s,
        "last_miss_s": time_s * 0.95 if hit else np.nan,
        "hit_s": time_s if hit else np.nan,
        "steps_to_target": time_s * 100 if hit else np.nan,
        "examples_to_target": time_s * 12800 if hit else np.nan,
        "timed_s": time_s if hit else 60.0, "steps": int(time_s * 100) if hit else 6000,
        "budget_s": 60.0, "best_metric": 0.61 if hit else 0.52, "metric": "accuracy",
        "target": 0.6, "baseline": "", "baseline_fraction": np.nan, "direction": "maximize",
        "workload_hash": "a" * 64, "hardware": "box-1",
        "devices": 1, "threads": "2", "sandbox": "plain",
        "versions": "python 3.11.2; torch 2.5.1",
        "variables": "none", "harness_hash": "d" * 64, "begun_at": f"2026-01-01T00:{study:02}",
        "origin": "measured", "scored": True, "instance_seed": f"{study:032x}",
        "setup_s": 2.0, "warm_up_s": 1.5, "mark": "self-reported", "mark_reason": "",
        "record": f"/results/{key}",
    }  # fmt: skip
    return values | other


def frame(times: dict[tuple[str, str], list[float]], **other: object) -> pd.DataFrame:
    """One study a time, for each (submission, workload)."""
    return pd.DataFrame(
        [
            row(submission, workload, study, time_s, **other)
            for (submission, workload), values in times.items()
            for study, time_s in enumerate(values, start=1)
        ]
    )


def curves(results: pd.DataFrame) -> pd.DataFrame:
    """A rising curve for each trial that meets the target where the trial says so."""
    parts = []
    for trial in results.to_dict("records"):
        end = float(trial["timed_s"])
        time_s = np.linspace(end / 20, end, 20)
        value = trial["best_metric"] * (1 - np.exp(-6 * time_s / end)) / (1 - np.exp(-6))
        parts.append(
            pd.DataFrame(
                {
                    "identity": trial["identity"],
                    "time_s": time_s,
                    "step": time_s * 100,
                    "fraction": time_s / trial["budget_s"],
                    "split": "validation",
                    "metric": trial["metric"],
                    "value": value,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
