"""The sandbox `docker`, as far as it can be seen without an engine."""

import gc
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from harness.cli.app import app
from harness.core.errors import HarnessError
from harness.runs import run as runs
from harness.sandboxes import libc
from harness.sandboxes.base import Confinement, Use
from harness.sandboxes.docker import engine as engine_module
from harness.sandboxes.docker.groups import ByEngine, SeparateGroups, UnifiedGroup, group_of
from harness.sandboxes.docker.line import Line
from harness.sandboxes.docker.options import options_of
from harness.sandboxes.docker.process import remove
from harness.sandboxes.docker.profile import profile
from harness.sandboxes.docker.sandbox import DockerSandbox, _check_packages


def refusal_of(act: Callable[[], object]) -> HarnessError:
    """What is said where no engine answers."""
    engine_module.engine.cache_clear()
    message = HarnessError("nothing was said")
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        try:
            act()
        except HarnessError as error:
            message = HarnessError(error.message, error.hint)
        gc.collect()  # the SDK leaves a socket open that found no engine
    return message


def test_an_engine_that_does_not_answer_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", address := f"unix://{tmp_path}/engine.sock")
    error = refusal_of(DockerSandbox)
    assert f"no container engine answers at {address}" in error.message
    assert "systemctl start docker" in error.hint


def test_an_engine_that_does_not_answer_is_named_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    monkeypatch.setattr(runs, "machine_speed", lambda *_: pytest.fail("the speed is measured"))
    words = f"run --workload mlp --submission adamw --sandbox docker --out {tmp_path}/store"
    error = refusal_of(lambda: app(words.split(), standalone_mode=False))
    assert "no container engine answers" in error.message


def test_an_engine_that_is_gone_is_named_when_a_container_is_removed(tmp_path: Path) -> None:
    client = docker.DockerClient(base_url=f"unix://{tmp_path}/gone.sock", version="1.41")
    container = client.containers.prepare_model({"Id": "0" * 64})
    error = refusal_of(lambda: remove(container))
    assert "engine no longer answers" in error.message
    assert "run the same command again" in error.hint


def test_a_line_may_lie_in_a_folder_whose_path_is_longer_than_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (deep := tmp_path / ("x" * 120)).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    line = Line()
    try:
        assert (line.folder / "line").is_socket()
    finally:
        line.close()


def test_a_package_of_another_version_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"torch is 2\.13\.0 here and 2\.12\.1 in the image"):
        _check_packages({"torch": "2.13.0"}, {"torch": "2.12.1"})


def test_a_build_for_another_device_is_the_same_version() -> None:
    _check_packages({"torch": "2.13.0", "jax": None}, {"torch": "2.13.0+cpu"})


@pytest.mark.skipif(libc.MACHINE != "x86_64", reason="names are those of x86-64")
def test_the_profile_refuses_calls_by_name() -> None:
    result = json.loads(profile())
    by_name = {
        name for rule in result["syscalls"] if not rule.get("args") for name in rule["names"]
    }
    assert {"ptrace", "mount", "bpf", "unshare", "io_uring_setup", "clone3"} <= by_name


@pytest.mark.parametrize(("ranks", "allowed"), [(False, {1}), (True, {1, 2, 16})])
def test_the_profile_refuses_sockets_but_those_of_this_machine(
    ranks: bool, allowed: set[int]
) -> None:
    rules = json.loads(profile("x86_64", may_find_ranks=ranks))["syscalls"]
    (tests,) = zip(*(rule["args"] for rule in rules if rule["names"] == ["socket"]), strict=True)
    values = {t["value"] for t in tests if t["op"] == "SCMP_CMP_EQ"}
    (above,) = [t["value"] for t in tests if t["op"] == "SCMP_CMP_GT"]
    assert set(range(above + 1)) - values == allowed


def confinement(folder: Path, **changes: Any) -> Confinement:
    return Confinement("torch", 1, 4.0, folder, folder / "log", folder, **changes)


def test_several_ranks_have_the_memory_of_all(tmp_path: Path) -> None:
    for ranks in (1, 3):
        options = options_of(confinement(tmp_path, ranks=ranks), tmp_path, (), is_podman=False)
        assert options["mem_limit"] == options["memswap_limit"] == ranks * 4 * 2**30


def test_podman_gets_the_profile_as_a_file_and_leaves_nothing_else_writable(
    tmp_path: Path,
) -> None:
    docker, podman = (
        options_of(confinement(tmp_path), tmp_path, ("/results",), is_podman=is_podman)
        for is_podman in (False, True)
    )
    (_, inline), (_, named) = docker["security_opt"], podman["security_opt"]
    assert Path(named.removeprefix("seccomp=")).read_text() == inline.removeprefix("seccomp=")
    assert set(podman["tmpfs"]) == set(docker["tmpfs"]) | {"/run", "/tmp", "/var/tmp"}
    assert [path for path, how in podman["tmpfs"].items() if how.startswith("rw")] == ["/scratch"]
    assert not any("uid=" in how or "nr_inodes=" in how for how in podman["tmpfs"].values())


def test_an_unknown_machine_has_no_profile() -> None:
    with pytest.raises(HarnessError, match="no seccomp profile for riscv64"):
        profile("riscv64")


def test_a_group_of_version_2_is_frozen_by_its_file_and_counts(tmp_path: Path) -> None:
    (tmp_path / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    (tmp_path / "memory.stat").write_text("anon 4096\nfile 8192\nshmem 1024\n")
    group = UnifiedGroup(tmp_path)
    group.freeze()
    assert (tmp_path / "cgroup.freeze").read_text() == "1"
    assert not group.is_frozen
    assert group.use() == Use(memory_bytes=5120, cpu_s=2.5)


def test_groups_of_version_1_are_frozen_by_state_and_count(tmp_path: Path) -> None:
    (tmp_path / "cpuacct.usage").write_text("1500000000\n")
    (tmp_path / "memory.stat").write_text("cache 9\ntotal_cache 9\ntotal_rss 4096\n")
    group = SeparateGroups(tmp_path, tmp_path, tmp_path)
    group.freeze()
    assert group.is_frozen
    group.thaw()
    assert not group.is_frozen
    assert group.use() == Use(memory_bytes=4096, cpu_s=1.5)


def test_a_group_that_cannot_be_written_is_frozen_by_the_engine() -> None:
    names_asked = list[str]()
    inner = SeparateGroups(Path("/none"), Path("/none"), Path("/none"))
    group = ByEngine(
        inner, lambda: names_asked.append("pause"), lambda: names_asked.append("unpause")
    )
    group.freeze()
    group.thaw()
    assert names_asked == ["pause", "unpause"]


def test_a_process_that_is_not_of_this_machine_is_refused() -> None:
    with pytest.raises(HarnessError, match="cannot be read") as error:
        group_of(2**22 + 1, lambda: None, lambda: None)
    assert "engine's own Linux machine" in error.value.hint
