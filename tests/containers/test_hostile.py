"""What a container stops: hostile submissions in real trials under `docker`.

That each of them succeeds with its defence switched off is seen in tests/hostile.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.removal import remove_tree
from harness.sandboxes.docker.sandbox import DockerSandbox
from tests.hostile.arena import Arena, Box, Case, is_running
from tests.hostile.table import CASES

pytestmark = pytest.mark.containers
CONTAINED = (
    "forge_record", "read_other_results", "read_held_out_by_path", "read_data_before_load",
    "borrow_generators", "corrupt_data", "lock_data_away", "write_elsewhere", "poison_cache",
    "read_by_memory", "read_by_vm_readv", "trace", "signal_others", "connect",
    "become_administrator", "outlive", "train_while_frozen", "fake_stopped", "train_in_child",
    "spread_out", "fill_disk", "fill_log", "fill_memory", "fork_bomb", "raise_limits",
    "be_killed_last", "ask_page_cache", "ignore_signals", "exit_zero", "rename_itself",
    "hang_in_step", "peek_surroundings",
)  # fmt: skip
"""Those that are the sandbox's affair; all others are the referee's, whatever confines a worker."""


@pytest.fixture
def contained(
    tmp_path: Path, data_cache: Path, worker_image: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Arena]:
    """An arena whose workers run in containers."""
    arena = Arena(tmp_path, data_cache, monkeypatch)

    def box() -> Box:
        arena.last = Box(DockerSandbox(), arena.bounds)
        return arena.last

    monkeypatch.setattr(arena, "box", box)
    monkeypatch.setenv("HOSTILE_TEST", "workload=mlp")
    with arena.listen():
        yield arena
    remove_tree(arena.folder / "temporary")


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in CASES if c.name in CONTAINED])
def test_it_fails_in_a_container(case: Case, contained: Arena) -> None:
    case.prepare(contained)
    outcome = contained.run(case.name, **case.settings)
    assert outcome.result.state in case.states, outcome.result.reason + outcome.log
    assert "acting" in outcome.log
    assert not case.won(outcome), outcome.log
    assert outcome.result.time_to_target_s is None
    assert not is_running(contained.marker)
