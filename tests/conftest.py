"""The tiers of the tests, and the prepared data that all of them share.

    make test           what is pure or fast, two at once, and the `smoke` tests: one real trial a
                        framework, one kill, one hostile submission
    make test-system    whatever starts referees, workers or commands, one after the other
    make test-nightly   all of them: every case (`tests.tiers`), the long ones, all kill tests

A test belongs to the system tier by its place (`SYSTEM`), unless it is marked `smoke`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before anything imports jax; `make gpu` names both
# A busy machine is no failure; at every commit the same few examples, at night many others.
settings.register_profile("commit", deadline=None, max_examples=30, derandomize=True)
settings.register_profile("nightly", deadline=None, max_examples=250)
settings.load_profile("commit")
ROOT = Path(__file__).parent
SYSTEM = (
    "analysis/test_shares.py",
    "calibration/test_procedure.py",
    "cli/test_new.py",
    "cli/test_run.py",
    "docs/test_notebook.py",
    "examples",
    "execution",
    "fuzz/test_arguments.py",
    "hostile",
    "machine/test_cores.py",
    "machine/test_host_monitor.py",
    "packaging/test_board_workflow.py",
    "packaging/test_makefile.py",
    "providers",
    "record/test_real_trackers.py",
    "recovery",
    "referee",
    "runs",
    "sandboxes",
    "speed/test_reference_training.py",
    "worker/test_warm_up.py",
    "workloads/test_outside.py",
)
"""Folders and files whose tests start processes or time the machine."""


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the system tier."""
    places = [ROOT / name for name in SYSTEM]
    for item in items:
        is_system = any(item.path == place or place in item.path.parents for place in places)
        if is_system and item.get_closest_marker("smoke") is None:
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="session")
def data_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of prepared instances, one for all tests of a session, those of all workers too.

    Instances are made under a lock and named by their content, so that tests do not meet in them.
    """
    base = tmp_path_factory.getbasetemp()
    is_worker = base.name.startswith("popen-")
    folder = (base.parent if is_worker else base) / "data-cache"
    folder.mkdir(exist_ok=True)
    return folder
