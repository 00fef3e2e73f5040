"""What of the harness counts as what a trial ran on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.machine.hardware import entered_files

ROOT = Path(harness.__file__).parent
ENTERED = entered_files(ROOT.parent)
LOADS = """
import sys
import harness.execution.trial, harness.worker.worker, harness.sandboxes.fork_server
from harness.frameworks.load import evaluation_backend, preload
from harness.providers.table import FRAMEWORKS
for name in FRAMEWORKS.names:
    preload(name)
    evaluation_backend(name, 'cpu', 1)
from pathlib import Path
files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
print(*filter(None, files), sep="\\n")
"""


@pytest.mark.system
def test_every_module_that_a_trial_loads_counts() -> None:
    code = [sys.executable, "-c", LOADS]
    lines = subprocess.run(code, capture_output=True, text=True, check=True).stdout.splitlines()
    loaded = {Path(line) for line in lines if Path(line).is_relative_to(ROOT)}
    assert len(loaded) > 100
    assert loaded - {ROOT / "__init__.py"} <= ENTERED


def test_commands_pages_and_scores_do_not_count() -> None:
    rooms = {file.relative_to(ROOT).parts[0] for file in ENTERED if file.is_relative_to(ROOT)}
    assert not rooms & {"analysis", "authoring", "calibration", "cli", "runs", "verification"}


def test_what_reads_declarations_and_makes_data_counts_whichever_workload_it_is() -> None:
    names = ("losses.py", "targets.py", "data/cache.py")
    assert {ROOT.parent / "workloads" / name for name in names} <= ENTERED
