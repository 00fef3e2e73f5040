"""The nodes of a Ray cluster: which can run a trial, how many at once, what hardware they have."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from platform import node as host_name
from typing import Any

from harness.core.errors import HarnessError
from harness.execution.base import Resources
from harness.machine.hardware import environment, hardware

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Identifies a running kernel, and so the machine."""


@dataclass(frozen=True)
class Node:
    """A node that is alive, and what Ray may place on it."""

    id: str
    cpus: float
    gpus: float
    kinds: frozenset[str]
    """Its other resources, kinds of GPUs among them."""

    def slots(self, need: Resources) -> int:
        """How many trials it can run at once; on the clock and on processors one, alone on it."""
        if self.cpus < need.cores or self.gpus < need.gpus:
            return 0
        if need.is_timed and not need.gpus:
            return 1
        by_cores = int(self.cpus // need.cores)
        return min(by_cores, int(self.gpus // need.gpus)) if need.gpus else by_cores

    def task_resources(self, need: Resources) -> dict[str, float]:
        """What a trial's task asks for there: Ray lets no other have it meanwhile."""
        is_alone = need.is_timed and not need.gpus
        return {"num_cpus": self.cpus if is_alone else need.cores, "num_gpus": need.gpus}


@dataclass(frozen=True)
class Survey:
    """What a node says of itself."""

    host: str
    machine: str
    """The same for all nodes of one machine, also in containers of their own."""
    fingerprint: str
    harness_hash: str


def survey(device: str) -> Survey:
    """What the machine is on which this runs."""
    machine = BOOT_ID.read_text(encoding="ascii").strip() if BOOT_ID.exists() else host_name()
    return Survey(host_name(), machine, hardware(device).fingerprint, environment().harness_hash)


def drop_thread_count() -> None:
    """Take back the OMP_NUM_THREADS that Ray sets for a task: a trial's threads are its own affair.

    One that the node's own processes were started with stays.
    """
    began_with = Path("/proc/self/environ").read_bytes().split(b"\0")
    if not any(each.startswith(b"OMP_NUM_THREADS=") for each in began_with):
        os.environ.pop("OMP_NUM_THREADS", None)


def suitable(nodes: Sequence[dict[str, Any]], need: Resources, kind: str | None) -> list[Node]:
    """The nodes that can run a trial, of those that `ray.nodes()` shows.

    Raises:
        HarnessError: there are none; the message says what there is.
    """
    alive = [
        Node(
            id=each["NodeID"],
            cpus=each["Resources"].get("CPU", 0.0),
            gpus=each["Resources"].get("GPU", 0.0),
            kinds=frozenset(each["Resources"]),
        )
        for each in nodes
        if each["Alive"]
    ]
    fits = [
        node
        for node in alive
        if node.slots(need) and (kind is None or f"accelerator_type:{kind}" in node.kinds)
    ]
    if fits:
        return sorted(fits, key=lambda node: node.id)
    needs = f"{need.cores} CPUs" + (f" and a GPU{f' of type {kind}' if kind else ''}") * need.gpus
    have = ", ".join(f"{n.cpus:g} CPUs and {n.gpus:g} GPUs" for n in alive) or "none is alive"
    raise HarnessError(
        f"executor 'ray': no node of the cluster has the {needs} that a trial needs; the nodes: "
        f"{have}",
        "add such nodes (see `ray status`), run a suite meant for these nodes, or use --device cpu",
    )


def check_versions(surveys: Sequence[Survey]) -> None:
    """Check that all nodes run this version of the harness.

    Raises:
        HarnessError: one does not.
    """
    here = environment().harness_hash
    for each in surveys:
        if each.harness_hash != here:
            raise HarnessError(
                f"executor 'ray': {each.host} has another version of the harness "
                f"({each.harness_hash[:10]}) than this machine ({here[:10]})",
                "install the same on every node",
            )


def one_per_machine(nodes: Sequence[Node], surveys: Mapping[str, Survey]) -> list[Node]:
    """The first node of each machine, because a machine's nodes share its memory bandwidth.

    Args:
        nodes: the nodes, in the order in which they take precedence.
        surveys: what each says of itself, by its id.
    """
    first_nodes: dict[str, Node] = {}
    for node in nodes:
        first_nodes.setdefault(surveys[node.id].machine, node)
    return list(first_nodes.values())


def most_common(surveys: Sequence[Survey]) -> str:
    """The fingerprint that most nodes have."""
    counts = Counter(each.fingerprint for each in surveys)
    return max(sorted(counts), key=counts.__getitem__)


def free_places(nodes: Sequence[Node], need: Resources, busy: Counter[str]) -> list[Node]:
    """A node for each trial that fits somewhere; nodes with the fewest trials come first."""
    places = [(number, node) for node in nodes for number in range(busy[node.id], node.slots(need))]
    return [node for _, node in sorted(places, key=lambda place: place[0])]
