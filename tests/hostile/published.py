"""Controls of the exploits that were published elsewhere: the same where the referee is."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from harness.core.seeds import PUBLIC_ROUND_SEED
from harness.providers import registry
from harness.record.chain import BrokenChainError
from workloads.mlp import model_torch as mlp

from .arena import Arena, what_is_known
from .cases import replay_weights, scan_memory, write_descriptors


def clock_of_the_process(case: ModuleType) -> Callable[[Arena], bool]:
    """A clock in the process of the attack stands, in one that is started for it."""
    lines = (
        "from harness.referee.clock import Clock",
        f"from {case.__name__} import attack",
        "clock = Clock()",
        "clock.start()",
        "attack()",
        "sum(range(10**6))",
        "raise SystemExit(clock.timed_s > 0.0)",
    )

    def stands(_: Arena) -> bool:
        return subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False).returncode == 0

    return stands


def machine_code_fits(_: Arena) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("its machine code is that of x86-64")


def in_referee(kind: str, attack: Callable[[], object]) -> Callable[[Arena], None]:
    """Let the attack run in the referee's process, when it says an event of a kind."""

    def off(arena: Arena) -> None:
        arena.ear.acts[kind] = attack

    return off


def memory_of_the_referee(arena: Arena) -> bool:
    """In the referee's memory both are."""
    result = set[str]()
    what = what_is_known(*arena.instance(arena.round_seed))
    arena.ear.acts["go"] = lambda: result.update(scan_memory.search(what))
    arena.run("fingerprint_shapes")
    return result == {"the seed", "a held-out example"}


def descriptors_of_the_referee(arena: Arena) -> bool:
    """Where the record is open the line is written; the chain of hashes then finds it."""
    arena.ear.acts["go"] = write_descriptors.attack
    try:
        arena.run("fingerprint_shapes")
    except BrokenChainError:
        return True
    return False


def weights_of_the_public_round(arena: Arena) -> None:
    """Ship weights that are trained on the public round's instance, and run another round."""
    _, data = arena.instance(PUBLIC_ROUND_SEED)
    (place := arena.folder / "submission").mkdir()
    np.savez(place / replay_weights.SHIPPED, **replay_weights.pack_weights(_train(data / "train")))
    arena.round_seed = "a secret"


def _train(folder: Path) -> dict[str, torch.Tensor]:
    """The weights of a model after some steps of Adam on a training split."""
    inputs, targets = (np.load(folder / f"{name}.npy") for name in ("inputs", "targets"))
    torch.manual_seed(0)
    model = mlp.build(registry.workload("mlp").at("quick").sizes)
    rule = torch.optim.Adam(model.parameters(), lr=2e-3)
    for batch in np.random.default_rng(0).integers(0, len(targets), (150, 512)):
        logits = model(torch.from_numpy(inputs[batch]))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(targets[batch]).long())
        rule.zero_grad()
        loss.backward()
        rule.step()
    return {name: value.detach() for name, value in model.named_parameters()}


def same_round_again(arena: Arena) -> None:
    arena.round_seed = PUBLIC_ROUND_SEED
