"""Each hostile submission fails with its defence on and succeeds with it off."""

import os
import signal
from collections.abc import Iterable, Iterator

import pytest
from _pytest.mark import ParameterSet

from harness.core.removal import remove_tree
from harness.record.log import read_events
from harness.record.store import EVENTS_FILE

from . import signs, submitted_snapshots
from .arena import Arena, Case
from .processes import has_capability, is_running
from .table import BEFORE_IT_ACTS, CASES, FENCED, RULE

SMOKE = ("patch_clock", "train_while_frozen")


def of(cases: Iterable[Case]) -> list[ParameterSet]:
    return [pytest.param(case, id=case.name, marks=marks_of(case)) for case in cases]


def marks_of(case: Case) -> list[pytest.MarkDecorator]:
    is_smoke = case.name in SMOKE
    return [pytest.mark.slow] * case.slow + [pytest.mark.smoke] * is_smoke


@pytest.fixture(autouse=True)
def environment(arena: Arena) -> Iterator[None]:
    os.environ["HOSTILE_TEST"] = "workload=mlp"
    server = arena.listen()
    yield
    server.close()
    del os.environ["HOSTILE_TEST"]
    for pid in is_running(arena.marker):
        os.kill(pid, signal.SIGKILL)
    remove_tree(arena.folder / "temporary")


@pytest.mark.parametrize("case", of(FENCED))
def test_it_fails(case: Case, arena: Arena) -> None:
    arena.need(*case.needs)
    case.prepare(arena)
    outcome = arena.run(case.name, **case.settings)
    assert outcome.result.state in case.states, outcome.result.reason + outcome.log
    assert case.reason in outcome.result.reason
    assert "acting" in outcome.log or case.name in BEFORE_IT_ACTS
    assert not case.won(outcome), outcome.log
    assert outcome.result.time_to_target_s is None
    assert read_events(arena.store / outcome.trial.folder / EVENTS_FILE)[-1].kind == "end"
    assert not is_running(arena.marker)


ELSEWHERE = (
    "claim_steps", "outlive", "ignore_signals", "exit_zero", "link_out", "poison_cache",
    "leave_group", "other_shapes", "grow_model", "add_buffers",
)  # fmt: skip
"""Their controls stand below and in test_afterwards."""
CONTROLLED = [case for case in FENCED if case.name not in ELSEWHERE]


def controls() -> list[ParameterSet]:
    """Nightly but for the two of `make test`: that each attack acts is seen in `test_it_fails`."""
    smoke = [case for case in CONTROLLED if case.name in SMOKE]
    others = [case for case in CONTROLLED if case.name not in SMOKE]
    nightly = [pytest.param(case, id=case.name, marks=pytest.mark.nightly) for case in others]
    return [*of(smoke), *nightly]


@pytest.mark.parametrize("case", controls())
def test_it_succeeds_without_its_defence(case: Case, arena: Arena) -> None:
    arena.need(*case.needs)
    if case.capability is not None and not has_capability(case.capability):
        # Whether it succeeds is then the kernel's affair; that it fails is seen in test_it_fails.
        pytest.skip(f"shows something only with capability {case.capability}, which root has")
    case.prepare(arena)
    if case.proof is not None:
        assert case.proof(arena)
        return
    case.off(arena)
    outcome = arena.run(case.name, **case.settings)
    assert case.won(outcome), outcome.result.reason + outcome.log


ANYWHERE = (
    "detour_symbol", "patch_table", "write_memory_file", "walk_garbage", "scan_memory",
    "write_descriptors", "interpose_wire", "replay_weights", "lazy_tensors",
)  # fmt: skip
"""What stops them is no layer of a sandbox."""


@pytest.mark.parametrize("case", of(c for c in CASES if c.name in ANYWHERE))
def test_it_fails_under_plain_as_well(case: Case, arena: Arena) -> None:
    case.prepare(arena)
    arena.plain()
    outcome = arena.run(case.name, **case.settings)
    assert outcome.result.state in case.states, outcome.result.reason + outcome.log
    assert "acting" in outcome.log
    assert not case.won(outcome), outcome.log


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["other_shapes", "grow_model", "add_buffers"])
def test_an_unchecked_snapshot_brings_the_referee_down(arena: Arena, name: str) -> None:
    submitted_snapshots.unchecked_snapshots(arena)
    assert signs.brought_down(arena.run(name))


@pytest.mark.parametrize("case", of(c for c in CASES if c.kind == RULE))
def test_what_is_forbidden_by_rule_only_does_succeed(case: Case, arena: Arena) -> None:
    assert arena.run(case.name).says_so
