"""Guided Descent: a time-to-target benchmark for neural-network training algorithms.

    from pathlib import Path
    from harness import PlanRequest, compare, load, run

    records = run(PlanRequest("mlp", "adamw"), Path("runs/mine"))
    curves = load("runs/mine").curves
    print(compare("runs/mine", "muon", "adamw").verdict())

Names are loaded when they are first asked for: `import harness` loads neither torch nor jax.
docs/ARCHITECTURE.md says how the rooms hang together.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.analysis.results import Results as Results
    from harness.analysis.results import compare as compare
    from harness.analysis.results import load as load
    from harness.core.errors import HarnessError as HarnessError
    from harness.execution.base import RunOptions as RunOptions
    from harness.plan.plan import Plan as Plan
    from harness.plan.plan import PlanRequest as PlanRequest
    from harness.plan.trial import Result as Result
    from harness.plan.trial import Trial as Trial
    from harness.plan.trial import TrialRecord as TrialRecord
    from harness.record.tables import curves_frame as curves_frame
    from harness.record.tables import results_frame as results_frame
    from harness.runs.run import plan_here as plan_here
    from harness.runs.run import run as run
    from harness.submission.interface import Problem as Problem
    from harness.submission.interface import Stream as Stream
    from harness.submission.interface import Submission as Submission
    from scoring.compare import compare_entries as compare_entries
    from scoring.evaluate import score_results as score_results

_HOMES = {
    "HarnessError": "harness.core.errors",
    "Plan": "harness.plan.plan",
    "PlanRequest": "harness.plan.plan",
    "Problem": "harness.submission.interface",
    "Result": "harness.plan.trial",
    "Results": "harness.analysis.results",
    "RunOptions": "harness.execution.base",
    "Stream": "harness.submission.interface",
    "Submission": "harness.submission.interface",
    "Trial": "harness.plan.trial",
    "TrialRecord": "harness.plan.trial",
    "compare": "harness.analysis.results",
    "compare_entries": "scoring.compare",
    "curves_frame": "harness.record.tables",
    "load": "harness.analysis.results",
    "plan_here": "harness.runs.run",
    "results_frame": "harness.record.tables",
    "run": "harness.runs.run",
    "score_results": "scoring.evaluate",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(_HOMES)
