"""A branch whose referee is killed goes on from its own checkpoint, not from its trunk's."""

from __future__ import annotations

from pathlib import Path

from harness.plan.trial import Branch
from harness.verification.store import verify_store

from .conftest import Lives, curve


def test_a_killed_branch_ends_as_if_nothing_had_happened(
    torch_lives: Lives, tmp_path: Path
) -> None:
    trunk = torch_lives.trial(keeps_end=True)
    branch = torch_lives.trial(branch=Branch(trunk=trunk))
    for name in ("whole", "killed"):
        torch_lives.whole(trunk, tmp_path / name)
    torch_lives.whole(branch, tmp_path / "whole")
    torch_lives.run_and_kill(branch, tmp_path / "killed", 40)
    torch_lives.whole(branch, tmp_path / "killed")
    assert curve(branch, tmp_path / "killed") == curve(branch, tmp_path / "whole")
    for name in ("whole", "killed"):
        assert not verify_store(tmp_path / name).findings
