"""How single defences are switched off, and controls that are no trials."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np

from harness.core.errors import HarnessError
from harness.execution import confinement, resolved
from harness.execution import trial as execution
from harness.frameworks.torch.evaluator import TorchEvaluator
from harness.frameworks.torch.loss import CrossEntropy
from harness.protocol import slot
from harness.record.chain import BrokenChainError
from harness.referee import referee
from harness.sandboxes import fork_client, scratch
from harness.sandboxes import plain as plain_sandbox
from harness.sandboxes.fork_client import ForkServer
from harness.sandboxes.plain import PlainWorkerProcess
from harness.sandboxes.suspension import ControlGroup, SuspendedGroup
from workloads.mlp.model_torch import Mlp
from workloads.parameters import ParameterSpec
from workloads.spec import Target

from .arena import Arena
from .cases import (
    change_model,
    hide_weights,
    patch_evaluator,
    patch_loss,
    patch_target,
)

Off = Callable[[Arena], None]
KEEP = {
    change_model: (Mlp, "forward"),
    patch_loss: (CrossEntropy, "per_target"),
    patch_evaluator: (TorchEvaluator, "batches"),
    patch_target: (Target, "is_met_by"),
}


def same_process(case: ModuleType) -> Off:
    """Let the attack run where the referee does, as it does where both are one process."""

    def off(arena: Arena) -> None:
        owner, name = KEEP[case]
        arena.patch.setattr(owner, name, getattr(owner, name))  # put back after the test
        case.attack()

    return off


def flags_are_not_pinned(arena: Arena) -> None:
    """Let a worker's flags be as its submission has set them."""
    (site := arena.folder / "site").mkdir()
    pin = "from harness.frameworks.torch.device import TorchDevice as a; a.pin = lambda self: 0"
    (site / "sitecustomize.py").write_text(f"{pin}\n")
    places = os.pathsep.join([str(site), *filter(None, sys.path)])
    parents_get(arena, lambda: {"PYTHONPATH": places})


def environment_is_not_cleaned(arena: Arena) -> None:
    parents_get(arena, lambda: dict(os.environ))


def parents_get(arena: Arena, more: Callable[[], dict[str, str]]) -> None:
    """Let the parent of the workers be a new one, with more in its environment."""
    environment = fork_client._environment
    arena.patch.setattr(fork_client, "_SERVERS", {})
    arena.patch.setattr(fork_client, "_environment", lambda threads: environment(threads) | more())


def is_forged(arena: Arena) -> bool:
    """Without Landlock the line is written; the chain of hashes then finds it."""
    plain_with_its_log(arena)
    try:
        arena.run("forge_record")
    except BrokenChainError:
        return True
    return False


def log_has_its_name(arena: Arena) -> None:
    """Open a worker's log in its trial's folder."""
    arena.patch.setattr(execution, "neutral_name", lambda log, _: nullcontext(log))


def tell_the_seed(arena: Arena) -> None:
    arena.patch.setattr(resolved, "worker_seed", lambda instance: instance)


def weights_known_before(arena: Arena) -> None:
    """Start from the weights of the warm-up, which anyone knows."""

    def fixed_parameters(specs: Iterable[ParameterSpec], _: object) -> dict[str, np.ndarray]:
        random = np.random.default_rng(0)
        return {s.name: (0.05 * random.standard_normal(s.shape)).astype(np.float32) for s in specs}

    arena.patch.setattr(resolved, "initial_parameters", fixed_parameters)


def kill_by_terminating(arena: Arena) -> None:
    """Ask the worker to end, as a batch system first does, in the place of killing it."""
    arena.without("cgroup")  # which kills what is left in it
    arena.patch.setattr(PlainWorkerProcess, "kill", lambda self: self.connection.close())


def kill_by_group(arena: Arena) -> None:
    arena.patch.setattr(plain_sandbox, "_handle_of", lambda pid: None)
    arena.patch.setattr(plain_sandbox, "END_TIMEOUT_S", 0.5)  # it would be waited for in vain


def sizes_are_not_sealed(arena: Arena) -> None:
    arena.patch.setattr(slot, "seal", lambda descriptor: None)


def bounds(**changes: object) -> Off:
    """Bounds of the sandbox."""

    def prepare(arena: Arena) -> None:
        arena.bounds |= changes

    return prepare


def without(*names: str) -> Off:
    return lambda arena: arena.without(*names)


def plain(arena: Arena) -> None:
    arena.plain()


def plain_with_its_log(arena: Arena) -> None:
    arena.plain()
    log_has_its_name(arena)


def uncounted_files(arena: Arena) -> None:
    """Put files beside the submission's own that are neither counted nor hashed."""
    for name in hide_weights.UNCOUNTED:
        file = arena.folder / "submission" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(2**20))


def folder_runs_itself(arena: Arena) -> None:
    """Run the submission where its author keeps it."""
    place = arena.folder / "submission"
    arena.patch.setattr(confinement, "submission_copy", lambda contents: nullcontext(place))


def removal_calls_itself(arena: Arena) -> None:
    """Remove a scratch by a function that calls itself for each folder."""
    arena.patch.setattr(scratch, "remove_tree", lambda folder: _remove(os.fspath(folder)))


def _remove(folder: str) -> None:
    with suppress(RecursionError, OSError):
        shutil.rmtree(folder)


def plain_elsewhere(arena: Arena) -> None:
    """Switch every layer off, in a temporary folder of the test's own."""
    arena.plain()
    (own := arena.folder / "temporary").mkdir()
    arena.patch.setattr(tempfile, "tempdir", str(own))


def is_scratch_left(_: object) -> bool:
    """Whether a worker's scratch lies about."""
    return any(Path(tempfile.gettempdir()).glob(f"{scratch.PREFIX}*"))


def with_a_listener(arena: Arena) -> None:
    """Have somebody listen at a path that anyone may send to, as a system's log does."""
    ear = arena.open.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    place = arena.elsewhere / "ear"
    ear.bind(str(place))
    place.chmod(0o777)


def one_scratch(arena: Arena) -> None:
    """Let all trials share a scratch that is kept."""
    arena.without("mounts")
    folder = Path(tempfile.mkdtemp(dir=arena.folder))
    folder.chmod(0o777)
    arena.patch.setattr(confinement, "new_scratch", lambda: _share(folder))


@contextmanager
def _share(folder: Path) -> Iterator[Path]:
    yield folder


def signals_have_names(arena: Arena) -> None:
    arena.patch.setattr(plain_sandbox, "signal_name", lambda number: signal.Signals(number).name)


def names_are_text(arena: Arena) -> None:
    """Let whoever freezes a worker read its name as text."""
    of = SuspendedGroup.of

    def reading(group: int, *rest: ControlGroup | None) -> SuspendedGroup | None:
        Path(f"/proc/{group}/stat").read_text()
        return of(group, *rest)

    arena.patch.setattr(plain_sandbox, "SuspendedGroup", SimpleNamespace(of=reading))


def falls_end_nothing(arena: Arena) -> None:
    """Let whatever brings the referee down leave its trial open."""

    def raise_error(error: Exception) -> str:
        raise error

    arena.patch.setattr(referee, "describe_error", raise_error)


def only_the_parent_is_asked(arena: Arena) -> None:
    def ask_fork_server(worker: PlainWorkerProcess, timeout_s: float) -> str:
        return str(worker._fork_server.status(worker.pid, timeout_s))

    arena.patch.setattr(PlainWorkerProcess, "exit_reason", ask_fork_server)


def clean_up_by_following(arena: Arena) -> None:
    """Clean the scratch up by deleting what its links lead to, too."""
    arena.plain()
    arena.patch.setattr(confinement, "new_scratch", _follow)


@contextmanager
def _follow() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    yield folder
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path.resolve(), ignore_errors=True)
    shutil.rmtree(folder)


def waits_in_vain(arena: Arena) -> bool:
    """Without a look at its state, a stopped parent is waited for, here only for a second."""
    arena.run("stop_parent")
    arena.patch.setattr(ForkServer, "is_alive", True)
    arena.patch.setattr(fork_client, "ANSWER_TIMEOUT_S", 1.0)
    try:
        arena.run("fingerprint_shapes", trial=2)
    except HarnessError as error:
        return "has not answered for 1 s" in str(error)
    finally:
        arena.patch.undo()
    return False
