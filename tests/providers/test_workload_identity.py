"""What makes a workload another one: its modules and what it declares for the suite at hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.providers import registry
from harness.providers.registry import Workload
from harness.providers.table import WORKLOADS_ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a workload's folder."""
    return Path(shutil.copytree(WORKLOADS_ROOT / "mlp", tmp_path / "mlp"))


def changes_identity(folder: Path, old: str, new: str, suite: str) -> bool:
    """Whether the workload is another one in a suite after a change of its declaration."""
    before = Workload("mlp", "workloads.mlp", folder).content_hash(suite)
    file = folder / "workload.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    Workload.content_hash.cache_clear()
    return Workload("mlp", "workloads.mlp", folder).content_hash(suite) != before


def test_a_target_belongs_to_its_suite_alone(folder: Path) -> None:
    assert not changes_identity(folder, "value = 0.52\n", "value = 0.53\n", "quick")
    assert changes_identity(folder, "value = 0.53\n", "value = 0.54\n", "standard")


def test_a_comment_belongs_to_none(folder: Path) -> None:
    assert not changes_identity(
        folder, "[suites.quick]\n", "[suites.quick]\n# A comment.\n", "quick"
    )


def test_a_module_belongs_to_every_suite(folder: Path) -> None:
    before = Workload("mlp", "workloads.mlp", folder).content_hash("quick")
    module = folder / "model.py"
    module.write_text(module.read_text() + "\nMORE = 1\n")
    Workload.content_hash.cache_clear()
    assert Workload("mlp", "workloads.mlp", folder).content_hash("quick") != before


@pytest.mark.parametrize(("shared", "counts"), [("data/exact.py", True), ("data/corpus.py", False)])
def test_shared_code_belongs_to_the_workloads_that_import_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: str, counts: bool
) -> None:
    root = Path(shutil.copytree(WORKLOADS_ROOT, tmp_path / "workloads"))
    monkeypatch.setattr(registry, "WORKLOADS_ROOT", root)
    before = Workload("mlp", "workloads.mlp", root / "mlp").content_hash("quick")
    (root / shared).write_text((root / shared).read_text() + "\nMORE = 1\n")
    Workload.content_hash.cache_clear()
    after = Workload("mlp", "workloads.mlp", root / "mlp").content_hash("quick")
    assert (after != before) == counts
