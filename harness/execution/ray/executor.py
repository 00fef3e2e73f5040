"""The executor `ray`: each trial is a task on a node that it does not share, if it is timed.

Nodes need no access to the store. A trial is sent to a node with its files, runs there in a
temporary store, and is copied back when it has ended. If the node is lost, so is the attempt: the
ledger records that it had begun, and the next attempt runs on another node.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

from harness.core.errors import HarnessError
from harness.display.base import Display
from harness.execution.base import Resources, RunOptions
from harness.execution.ray.copies import StoreCopy
from harness.execution.ray.engine import Engine, NodeLostError
from harness.execution.ray.nodes import (
    Node,
    Survey,
    check_versions,
    free_places,
    most_common,
    one_per_machine,
    survey,
)
from harness.execution.ray.profile import RayProfile
from harness.execution.ray.shipping import Shipment, check_shippable, discard, run_shipment
from harness.execution.remote import resources_of
from harness.plan.trial import Trial, TrialRecord
from harness.record.ledger import Ledger
from harness.record.plan import record_of, unfinished_trials
from harness.record.schema.ledger import AttemptBegun
from harness.record.store import lock_trial
from workloads.toml import read_toml

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Flight:
    """A trial on a node."""

    shipment: Shipment
    node: Node
    hold: ExitStack
    """The lock on the trial's folder, so that no other process runs it meanwhile."""


class RayExecutor:
    """Runs trials on an existing cluster.

    Args:
        store: the folder of the trials' records, on this machine.
        display: is notified of nodes, and of each trial that has ended.
        jobs: 1; how many run at once depends on the nodes.
        profile: a `RayProfile`; None for the cluster that this machine is a node of.

    Raises:
        HarnessError: `jobs` is not 1, or the profile is invalid.
    """

    def __init__(
        self, store: Path, display: Display, *, jobs: int = 1, profile: Path | None = None
    ) -> None:
        if jobs != 1:
            raise HarnessError(
                f"executor 'ray' does not accept --jobs ({jobs})",
                "as many trials run at once as the cluster's nodes have room for",
            )
        self._profile = read_toml(profile, RayProfile) if profile else RayProfile()
        self._store, self._display = store.absolute(), display
        self._ledger = Ledger(self._store)
        self._copy: StoreCopy | None = None
        self._flights: dict[Any, Flight] = {}
        """The trials that are on nodes, by the references to their results."""
        self._surveys: dict[str, Survey] = {}
        self._lost_nodes: set[str] = set()
        """Nodes that lost a trial; Ray keeps listing them for a while."""

    def __enter__(self) -> Self:
        self._open_copy()
        self._engine = Engine(self._profile)
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()
        self._display.close()

    def call(
        self, need: Resources, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function on a node with the most common hardware."""
        device = "cuda:0" if need.gpus else "cpu"
        node = next(iter(self._alike(need, device, None)))
        reference = self._engine.start(node, node.task_resources(need), function, *args, **kwargs)
        try:
            value: T = self._engine.outcome(reference)
        except NodeLostError as error:
            raise HarnessError(
                f"executor 'ray': the node that trials were planned on is lost: {error}",
                "run the same command again to use another one",
            ) from error
        return value

    def run(self, trials: Sequence[Trial], options: RunOptions) -> tuple[TrialRecord, ...]:
        """Run the trials that have no finished record; return the records of all.

        Raises:
            HarnessError: no node can run them, a trial was lost too often, one is a branch of
                another trial, or the copy of the profile cannot be written.
        """
        self._open_copy()
        pending = unfinished_trials(trials, self._store)
        if pending:
            check_shippable(pending)
            need = resources_of(pending, options)
            with ExitStack() as holds:
                try:
                    self._fly(deque(pending), need, options, holds)
                finally:  # after Ctrl-C some are still away
                    self._note_begun(self._flights.values())
                    self._flights.clear()
        if self._copy is not None:
            self._copy.complete(trials)
        return tuple(record_of(trial, self._store) for trial in trials)

    def _fly(
        self, waiting: deque[Trial], need: Resources, options: RunOptions, holds: ExitStack
    ) -> None:
        """Keep all suitable nodes busy until no trial waits.

        After an error no further trial is started; the running ones are waited for before it is
        raised.
        """
        device = waiting[0].device
        nodes = self._alike(need, device, options.fingerprint)
        self._display.note(f"ray: {len(nodes)} nodes for {len(waiting)} trials")
        flights, tries, errors = self._flights, Counter[str](), list[HarnessError]()
        while waiting or flights:
            try:
                busy = Counter(flight.node.id for flight in flights.values())
                for node in free_places(nodes, need, busy)[: len(waiting)]:
                    flight = self._start(waiting.popleft(), node, holds)
                    resources = node.task_resources(need)
                    reference = self._engine.start(
                        node, resources, run_shipment, flight.shipment, options
                    )
                    flights[reference] = flight
                for reference in self._engine.wait(list(flights), None):
                    flight = flights.pop(reference)
                    with flight.hold:
                        if self._is_home(reference, flight):
                            continue
                    nodes = self._alike(need, device, options.fingerprint)
                    tries[flight.shipment.trial.identity] += 1
                    self._refuse_hopeless(flight, tries)
                    waiting.append(flight.shipment.trial)
            except HarnessError as error:
                errors.append(error)
                waiting.clear()
        if errors:
            raise errors[0]

    def _start(self, trial: Trial, node: Node, holds: ExitStack) -> Flight:
        hold = ExitStack()
        hold.enter_context(lock_trial(self._store / trial.folder))
        holds.push(hold)
        return Flight(Shipment.of(trial, self._store, self._ledger), node, hold)

    def _is_home(self, reference: Any, flight: Flight) -> bool:
        """Whether a trial came back with a result; the ledger records that a lost one had begun."""
        trial = flight.shipment.trial
        try:
            back: Shipment = self._engine.outcome(reference)
        except NodeLostError as error:
            self._note_begun([flight])
            self._lost_nodes.add(flight.node.id)
            self._display.note(f"ray: lost a node, {trial.folder} runs again: {error}")
            return False
        except BaseException:  # Ctrl-C, too
            self._note_begun([flight])
            raise
        self._take_back(back, flight)
        record = record_of(trial, self._store)
        if record.result is None:
            lines = back.output.strip().splitlines() or ["it printed nothing"]
            raise HarnessError(
                f"executor 'ray': {trial.folder} has no result: {lines[0]}",
                "\n  ".join(lines[1:]),
            )
        self._display.finish(record)
        self._copy_back(trial)
        return True

    def _note_begun(self, flights: Iterable[Flight]) -> None:
        """Enter attempts into the ledger that may have begun on a node, but never come home."""
        for flight in flights:
            identity = flight.shipment.trial.identity
            number = self._ledger.attempts(identity) + 1
            self._ledger.note(AttemptBegun(identity=identity, attempt=number))

    def _take_back(self, back: Shipment, flight: Flight) -> None:
        """Write what came back into the store; only then is it deleted on the node.

        Raises:
            HarnessError: it cannot be written; the hint says where the node keeps it.
        """
        try:
            back.take_back(self._store, self._ledger, flight.shipment)
        except HarnessError as error:
            if not back.node_folder:
                raise
            host, folder = self._surveys[flight.node.id].host, back.trial.folder
            raise HarnessError(
                error.message,
                f"{error.hint}\n  what the trial wrote is kept on {host}: copy "
                f"{back.node_folder}/store/{folder} to {self._store / folder} first, or it runs "
                "again",
            ) from error
        if back.node_folder:
            resources = {"num_cpus": 0.0, "num_gpus": 0.0}
            with suppress(NodeLostError):
                self._engine.outcome(
                    self._engine.start(flight.node, resources, discard, back.node_folder)
                )

    def _open_copy(self) -> None:
        """Check once that the copy of the profile can be written."""
        if self._copy is None and self._profile.copy_to is not None:
            self._copy = StoreCopy(self._store, self._profile.copy_to)

    def _copy_back(self, trial: Trial) -> None:
        """Copy a trial; a failed copy is tried again when all trials have ended."""
        if self._copy is None:
            return
        try:
            self._copy.put(trial)
        except HarnessError as error:
            self._display.note(f"ray: {error.message}")

    def _refuse_hopeless(self, flight: Flight, tries: Counter[str]) -> None:
        trial = flight.shipment.trial
        if tries[trial.identity] >= self._profile.attempts:
            raise HarnessError(
                f"executor 'ray': {trial.folder} lost its node {tries[trial.identity]} times",
                "see why nodes are lost: ray status; the same command runs what is missing",
            )

    def _alike(self, need: Resources, device: str, fingerprint: str | None) -> list[Node]:
        """The nodes that can run a trial and have the hardware of a fingerprint.

        Without a fingerprint the most common hardware is used, so that one plan's times are
        comparable.
        """
        all_nodes = self._engine.nodes(need)
        nodes = [node for node in all_nodes if node.id not in self._lost_nodes] or all_nodes
        self._look_at([node for node in nodes if node.id not in self._surveys], need, device)
        surveys = [self._surveys[node.id] for node in nodes if node.id in self._surveys]
        check_versions(surveys)
        expected_fingerprint = fingerprint or (most_common(surveys) if surveys else "")
        surveyed_nodes = [node for node in nodes if node.id in self._surveys]
        alike = [
            node
            for node in surveyed_nodes
            if self._surveys[node.id].fingerprint == expected_fingerprint
        ]
        if others := len(surveyed_nodes) - len(alike):
            self._display.note(f"ray: {others} nodes are left out, whose hardware is another")
        if need.is_timed and not need.gpus:
            alike = self._one_per_machine(alike)
        if alike:
            return alike
        raise HarnessError(
            "executor 'ray': no node has the hardware that the trials were planned for "
            f"({fingerprint}); the nodes: {', '.join(sorted({s.fingerprint for s in surveys}))}",
            "bring back a node with that hardware, or plan again into another folder: --out DIR",
        )

    def _one_per_machine(self, nodes: Sequence[Node]) -> list[Node]:
        first_nodes = one_per_machine(nodes, self._surveys)
        if others := len(nodes) - len(first_nodes):
            self._display.note(
                f"ray: nodes left out, as another on the same machine is used: {others}"
            )
        return first_nodes

    def _look_at(self, nodes: Sequence[Node], need: Resources, device: str) -> None:
        """Survey the nodes' hardware and software, in parallel."""
        # a GPU is shown only to what asks for it
        resources = {"num_cpus": 0.0, "num_gpus": need.gpus}
        looks = [(node, self._engine.start(node, resources, survey, device)) for node in nodes]
        for node, reference in looks:
            with suppress(NodeLostError):
                self._surveys[node.id] = self._engine.outcome(reference)
