"""The executor `ray`: each trial is a task, placed by this process on a node where it is alone.

Nodes need not see the store. A trial goes to its node with what the store has of it, runs there in
a store of its own, and comes back as soon as it has ended. If its node is lost, so is what it did
there: the ledger keeps that an attempt had begun, and the next attempt runs elsewhere.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

from harness.core.errors import HarnessError
from harness.display.base import Display
from harness.execution.base import Resources, RunOptions
from harness.execution.ray.copies import StoreCopy
from harness.execution.ray.engine import Engine, NodeLostError
from harness.execution.ray.nodes import Node, Survey, check_versions, most_common, survey
from harness.execution.ray.profile import RayProfile
from harness.execution.ray.shipping import Shipment, check_shippable, run_shipment
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
    """Of the trial's folder, which no other process may run meanwhile."""


class RayExecutor:
    """Runs trials on a cluster that exists.

    Args:
        store: the folder of the trials' records, on this machine.
        display: hears of nodes, and of each trial that has ended.
        jobs: 1; how many run at once follows from the nodes.
        profile: a `RayProfile`; None for the cluster that this machine is a node of.

    Raises:
        HarnessError: several jobs are asked for, or the profile is none.
    """

    def __init__(
        self, store: Path, display: Display, *, jobs: int = 1, profile: Path | None = None
    ) -> None:
        if jobs != 1:
            raise HarnessError(
                f"executor 'ray' takes no number of jobs ({jobs})",
                "as many trials run at once as the cluster's nodes have room for",
            )
        self._profile = read_toml(profile, RayProfile) if profile else RayProfile()
        self._store, self._display = store.absolute(), display
        self._ledger = Ledger(self._store)
        self._copy: StoreCopy | None = None
        self._surveys: dict[str, Survey] = {}
        self._lost_nodes: set[str] = set()
        """Nodes that lost a trial; Ray names them for a while as if they were there."""

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
        """Call a function on one of the nodes that most others are like."""
        device = "cuda:0" if need.gpus else "cpu"
        node = next(iter(self._alike(need, device, None)))
        reference = self._engine.start(node, node.task_resources(need), function, *args, **kwargs)
        try:
            value: T = self._engine.outcome(reference)
        except NodeLostError as error:
            raise HarnessError(
                f"executor 'ray': the node that trials were planned on is lost: {error}",
                "the same command takes another one",
            ) from error
        return value

    def run(self, trials: Sequence[Trial], options: RunOptions) -> tuple[TrialRecord, ...]:
        """Run the trials that have no finished record; return what the store then holds of all.

        Raises:
            HarnessError: no node can run them, one was given up, one begins where another has
                ended, or the copy that the profile wants cannot be written.
        """
        self._open_copy()
        pending = unfinished_trials(trials, self._store)
        if pending:
            check_shippable(pending)
            need = resources_of(pending, options)
            with ExitStack() as holds:
                self._fly(deque(pending), need, options, holds)
        if self._copy is not None:
            self._copy.complete(trials)
        return tuple(record_of(trial, self._store) for trial in trials)

    def _fly(
        self, waiting: deque[Trial], need: Resources, options: RunOptions, holds: ExitStack
    ) -> None:
        """Keep every suitable node filled until no trial waits.

        After an error no trial is started any more; those that run come home before it is raised.
        """
        device = waiting[0].device
        nodes = self._alike(need, device, options.fingerprint)
        self._display.note(f"ray: {len(nodes)} nodes for {len(waiting)} trials")
        flights: dict[Any, Flight] = {}
        tries, errors = Counter[str](), list[HarnessError]()
        while waiting or flights:
            try:
                busy = Counter(flight.node.id for flight in flights.values())
                for node in _free_places(nodes, need, busy)[: len(waiting)]:
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
        """Whether a trial came back with a result; the ledger keeps that a lost one had begun."""
        trial = flight.shipment.trial
        try:
            back: Shipment = self._engine.outcome(reference)
        except NodeLostError as error:
            attempt = self._ledger.attempts(trial.identity) + 1
            self._ledger.note(AttemptBegun(identity=trial.identity, attempt=attempt))
            self._lost_nodes.add(flight.node.id)
            self._display.note(f"ray: lost a node, {trial.folder} runs again: {error}")
            return False
        back.take_back(self._store, self._ledger, flight.shipment)
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

    def _open_copy(self) -> None:
        """Try the place of the copy that the profile wants, once."""
        if self._copy is None and self._profile.copy_to is not None:
            self._copy = StoreCopy(self._store, self._profile.copy_to)

    def _copy_back(self, trial: Trial) -> None:
        """Copy a trial; what cannot be copied now is tried again when all have ended."""
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
                "see why nodes go: ray status; the same command goes on with what is missing",
            )

    def _alike(self, need: Resources, device: str, fingerprint: str | None) -> list[Node]:
        """The nodes that can run a trial and have the hardware of a fingerprint.

        Without one it is the one that most of them have: times of one plan come from one kind.
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
        if alike:
            return alike
        raise HarnessError(
            "executor 'ray': no node has the hardware that the trials were planned for "
            f"({fingerprint}); the nodes: {', '.join(sorted({s.fingerprint for s in surveys}))}",
            "bring such a node back, or plan again into another folder: --out DIR",
        )

    def _look_at(self, nodes: Sequence[Node], need: Resources, device: str) -> None:
        """Let nodes say what they are, all at once."""
        # a GPU is shown only to what asks for it
        resources = {"num_cpus": 0.0, "num_gpus": need.gpus}
        looks = [(node, self._engine.start(node, resources, survey, device)) for node in nodes]
        for node, reference in looks:
            with suppress(NodeLostError):
                self._surveys[node.id] = self._engine.outcome(reference)


def _free_places(nodes: Sequence[Node], need: Resources, busy: Counter[str]) -> list[Node]:
    """A node for each trial that has room, those with the fewest trials first."""
    places = [(number, node) for node in nodes for number in range(busy[node.id], node.slots(need))]
    return [node for _, node in sorted(places, key=lambda place: place[0])]
