"""The tiers of the tests, and the prepared data and records that all of them share.

    make test           what is pure or fast, two at once, and the `smoke` tests: one real trial a
                        framework, one kill, one hostile submission
    make test-system    whatever starts referees, workers or commands, two at once, and then, one
                        after the other, the `timed` ones that other load would mislead
    make test-nightly   all of them: every case (`tests.tiers`), the long ones, all kill tests

A test belongs to the system tier by its place (`SYSTEM`, `TIMED`), unless it is marked `smoke`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.record.conftest import SampleStore

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
    "docs/test_commands_run.py",
    "docs/test_notebook.py",
    "examples",
    "execution",
    "fuzz/test_arguments.py",
    "packaging/test_board_workflow.py",
    "packaging/test_makefile.py",
    "providers",
    "record/test_real_trackers.py",
    "runs",
    "worker/test_warm_up.py",
    "workloads/test_outside.py",
)
"""Folders and files whose tests start processes."""
TIMED = (
    "hostile",
    "machine/test_cores.py",
    "machine/test_host_monitor.py",
    "recovery",
    "referee/test_clock.py",
    "referee/test_pinning.py",
    "referee/test_states.py",
    "referee/test_trial.py",
    "sandboxes",
    "speed/test_reference_training.py",
)
"""Those that also time the machine, or what runs on it."""


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the system tier."""
    for item in items:
        if item.get_closest_marker("smoke") is not None:
            continue
        if _is_in(item, TIMED):
            item.add_marker(pytest.mark.timed)
        if _is_in(item, (*SYSTEM, *TIMED)):
            item.add_marker(pytest.mark.system)


def _is_in(item: pytest.Item, names: tuple[str, ...]) -> bool:
    places = [ROOT / name for name in names]
    return any(item.path == place or place in item.path.parents for place in places)


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


@pytest.fixture
def sample(tmp_path: Path) -> SampleStore:
    """A store with one ended trial, for a test to change."""
    from tests.record.conftest import SampleStore

    return SampleStore(tmp_path / "store")


@pytest.fixture(scope="session")
def shared_sample(tmp_path_factory: pytest.TempPathFactory) -> SampleStore:
    """The same for tests that leave it as it was."""
    from tests.record.conftest import SampleStore

    return SampleStore(tmp_path_factory.mktemp("sample"))
