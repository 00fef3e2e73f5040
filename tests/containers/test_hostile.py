"""What a container stops: every hostile submission, in real trials under `docker`.

That each of them succeeds with its defence switched off is seen in tests/hostile; here it is seen
of those that the container itself stops: its freezer, its bounds, its network and its profile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from harness.core.removal import remove_tree
from harness.sandboxes.docker import sandbox as docker_sandbox
from harness.sandboxes.docker.line import Line
from harness.sandboxes.docker.options import options_of
from harness.sandboxes.docker.process import ContainerWorkerProcess
from harness.sandboxes.docker.sandbox import DockerSandbox
from tests.hostile.arena import Arena, Box, Case
from tests.hostile.contained import OTHERWISE, Ending
from tests.hostile.processes import is_running
from tests.hostile.switches import bounds
from tests.hostile.table import BEFORE_IT_ACTS, CASES, FENCED, RULE

pytestmark = pytest.mark.containers
BY_NAME = {case.name: case for case in CASES}


@pytest.fixture
def container_arena(
    tmp_path: Path, data_cache: Path, worker_image: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Arena]:
    """An arena whose workers run in containers."""
    arena = Arena(tmp_path, data_cache, monkeypatch)

    def box() -> Box:
        arena.last = Box(DockerSandbox(), arena.bounds)
        return arena.last

    monkeypatch.setattr(arena, "box", box)
    monkeypatch.setenv("HOSTILE_TEST", "workload=mlp")
    with arena.listen(), arena.open:
        yield arena
    remove_tree(arena.folder / "temporary")


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in FENCED])
def test_it_fails_in_a_container(case: Case, container_arena: Arena) -> None:
    ending = OTHERWISE.get(case.name, Ending(case.states, case.reason))
    case.prepare(container_arena)
    outcome = container_arena.run(case.name, **{**case.settings, **ending.settings})
    assert outcome.result.state in ending.states, outcome.result.reason + outcome.log
    assert ending.reason in outcome.result.reason
    assert "acting" in outcome.log or case.name in BEFORE_IT_ACTS
    assert ending.says in outcome.log
    assert not case.won(outcome), outcome.log
    assert outcome.result.time_to_target_s is None
    assert not is_running(container_arena.marker)


def test_nothing_is_left_in_a_cache_for_the_next_container(container_arena: Arena) -> None:
    container_arena.run("poison_cache", trial=1)
    assert not container_arena.run("poison_cache", trial=2).says_so


def never_freeze(arena: Arena) -> None:
    arena.patch.setattr(ContainerWorkerProcess, "freeze", lambda self: True)


def without_filters(arena: Arena, **options: object) -> None:
    """Start containers without the profile, and workers without the filter that follows it."""
    unconfined = {"security_opt": ["no-new-privileges", "seccomp=unconfined"], **options}
    arena.patch.setattr(
        docker_sandbox, "options_of", lambda *a, **k: options_of(*a, **k) | unconfined
    )
    send = Line.send
    arena.patch.setattr(Line, "send", lambda line, order, fds: send(line, order | NO_LAYERS, fds))


def with_the_machines_network(arena: Arena) -> None:
    without_filters(arena, network_mode="host")


NO_LAYERS = {"layers": list[str]()}


SWITCHES: Mapping[str, Callable[[Arena], None]] = {
    "train_while_frozen": never_freeze,
    "fake_stopped": never_freeze,
    "train_in_child": never_freeze,
    "fill_disk": bounds(scratch_mib=64),
    "fill_log": BY_NAME["fill_log"].off,
    "fill_memory": BY_NAME["fill_memory"].off,
    "fork_bomb": BY_NAME["fork_bomb"].off,
    "ask_page_cache": without_filters,
    "become_administrator": without_filters,
    "connect": with_the_machines_network,
}
"""How what stops a case in a container is switched off."""


@pytest.mark.parametrize("name", SWITCHES)
def test_it_succeeds_in_a_container_without_its_defence(name: str, container_arena: Arena) -> None:
    case = BY_NAME[name]
    case.prepare(container_arena)
    SWITCHES[name](container_arena)
    outcome = container_arena.run(name, **case.settings)
    assert case.won(outcome), outcome.result.reason + outcome.log


@pytest.mark.parametrize("name", [case.name for case in CASES if case.kind == RULE])
def test_what_is_forbidden_by_rule_only_succeeds_in_a_container(
    name: str, container_arena: Arena
) -> None:
    assert container_arena.run(name).says_so
