"""The referee: owns clock, budget and evaluation of one trial, and drives one worker.

    setting up -> warming up -> loading -> (running, with glances -> looking)* -> ended

Whatever the worker does, the trial ends in exactly one state. What the worker reports is recorded
as a claim, what the referee observes as a measurement.
"""

from __future__ import annotations

from harness.core.errors import CannotWriteError
from harness.machine.readings import MachineChange, doubts
from harness.plan.trial import Result, State, Trial
from harness.protocol.messages import (
    Inherit,
    Load,
    Profile,
    Profiled,
    Ready,
    Restore,
    ToRefereeMessage,
    Warm,
    WarmUp,
)
from harness.protocol.slot import Slot
from harness.protocol.wire import Wire, WireClosedError, WireError, WireTimeoutError
from harness.record import schema
from harness.record.recorder import Recorder
from harness.referee import conversation
from harness.referee.checkpoint import Checkpoint, Checkpoints
from harness.referee.checks import printable
from harness.referee.claims import profile_of, warm_up_of
from harness.referee.clock import Clock
from harness.referee.context import TrialContext
from harness.referee.conversation import Conversation
from harness.referee.ending import RankKilledError, TrialEndedError, describe_error
from harness.referee.evaluation import SnapshotEvaluator
from harness.referee.freezer import Freezer
from harness.referee.monitor import HostMonitor
from harness.referee.snapshots import SnapshotCollector
from harness.referee.target_search import HeldSnapshot, TargetSearch
from harness.sandboxes.base import WorkerProcess

EXIT_TIMEOUT_S = 2.0
PROFILED_STEPS = 5
PROFILE_CAP_S = 1.0
"""The time limit for profiling steps after the end; a step that has begun may take as long again.
"""


class Referee:
    """Runs one trial to its end.

    Args:
        trial: the trial to run.
        context: its data, evaluator and settings.
        worker: the confined worker, waiting for HELLO.
        wire: the referee's end of the wire.
        recorder: records measurements and claims, and displays progress.
        checkpoints: writes checkpoints for a restarted referee.
        slot: the memory shared by worker and referee.
    """

    def __init__(
        self,
        trial: Trial,
        context: TrialContext,
        worker: WorkerProcess,
        wire: Wire[ToRefereeMessage],
        recorder: Recorder,
        *,
        checkpoints: Checkpoints,
        slot: Slot,
    ) -> None:
        self._trial, self._context, self._worker = trial, context, worker
        self._record, self._checkpoints = recorder, checkpoints
        self._clock = Clock(context.start_s)
        self._talk = Conversation(wire, recorder, self._clock, trial.budget.runtime_s)
        self._slot = slot
        self._evaluator = SnapshotEvaluator(trial, context, self._clock, recorder)
        limit_s = trial.budget.runtime_s
        self._search = TargetSearch(trial.grid, trial.target, self._evaluator.value, limit_s)
        self._monitor = HostMonitor(context.reading)
        self._freezer = Freezer(worker, context.idle, trial.budget, self._clock)
        self._snapshots = SnapshotCollector(
            trial,
            context.shapes,
            talk=self._talk,
            slot=slot,
            clock=self._clock,
            recorder=recorder,
            checkpoints=checkpoints,
            check_use=lambda: self._monitor.check(worker.use(), context.memory_gib),
        )

    def run(self, checkpoint: Checkpoint | None = None) -> Result:
        """Run the trial, or resume it from a checkpoint; the worker is killed afterwards."""
        try:
            state, reason = self._run_attempt(checkpoint)
        except CannotWriteError:
            raise  # the disk is full, say: once it is not, a successor goes on
        except Exception as error:  # perhaps of the worker's making: not to be had again for free
            state, reason = "crashed", describe_error(error)
            self._record.emit(schema.RefereeFailed(why=reason))
        finally:
            self._worker.kill()
        with self._clock.account("conditions"):
            machine = self._changes()
        flags = doubts(machine, self._trial.limits.drift)._asdict()
        result = self._result(state, reason).model_copy(update=flags)
        clock = self._clock.entries()
        self._record.emit(
            schema.End(result=result, clock=clock, machine=machine or schema.NoReadings())
        )
        return result

    def _changes(self) -> MachineChange | None:
        """The machine's readings; None if they fail, so that the trial ends all the same."""
        try:
            return self._monitor.changes()
        except Exception:  # of a broken device, say, which the trial may have broken
            return None

    def _run_attempt(self, checkpoint: Checkpoint | None) -> tuple[State, str]:
        try:
            return self._phases(checkpoint)
        except RankKilledError as end:
            return self._explain_death(printable(end.reason))
        except TrialEndedError as end:
            return end.state, printable(end.reason)
        except WireClosedError:
            reason = self._worker.exit_reason(EXIT_TIMEOUT_S)
            return self._explain_death(reason if self._context.ranks == 1 else f"rank 0: {reason}")
        except WireTimeoutError as error:
            return "hung", str(error)
        except WireError as error:
            return "invalid", printable(str(error))
        finally:
            self._clock.stop()
            self._snapshots.record()
            self._monitor.note(self._worker.use())

    def _phases(self, checkpoint: Checkpoint | None) -> tuple[State, str]:
        if checkpoint is None:
            self._prepare()
            self._inherit()
        else:
            self._resume(checkpoint)
        ending = self._train()
        if self._trial.probes:
            self._profile()
        return ending

    def _prepare(self) -> None:
        """Let the worker set up, warm up and load."""
        with self._clock.account("setup"):
            self._talk.send(self._context.hello)
            self._slot.send(self._worker.connection)
            self._talk.expect(Ready, conversation.SETUP_TIMEOUT_S, "set up")
        self._record.emit(schema.Ready())
        self._warm_up()
        self._load()

    def _warm_up(self) -> None:
        """Let it warm up and compile; the untimed limit includes the time of the set-up."""
        cap_s = max(0.0, self._trial.limits.warmup_s - self._clock.others()["setup"])
        with self._clock.account("warm_up"):
            self._talk.send(WarmUp(cap_s=cap_s))
            warm, _ = self._talk.expect(Warm, cap_s + conversation.GRACE_S, "warm up")
        self._record.claim(warm_up_of(warm))

    def _load(self) -> None:
        """Send data and parameters, on the clock, as the worker could train from then on."""
        self._freezer.freeze()  # a view that is a copy may take seconds
        with self._clock.account("load"):
            train_folder = self._worker.show(self._context.train_folder)
        self._freezer.thaw()
        with self._clock.account("load"):
            self._clock.start()
            self._talk.send(Load(train_folder=str(train_folder)), self._context.parameters)
            self._talk.expect(Ready, conversation.SETUP_TIMEOUT_S, "load the data")
            self._clock.stop()
        self._freezer.freeze()

    def _inherit(self) -> None:
        """Send the state that a branch starts from, on the clock like the data."""
        branch, trunk = self._trial.branch, self._context.trunk
        if branch is None or trunk is None:
            return
        point = branch.trunk.point
        order = Inherit(state=trunk.state, keeps=branch.keeps, hyperparameters=point)
        self._freezer.thaw()
        with self._clock.account("load"):
            self._clock.start()
            self._talk.send(order, trunk.tensors)
            self._talk.expect(Ready, conversation.SETUP_TIMEOUT_S, "begin where its trunk ended")
            self._clock.stop()
        self._freezer.freeze()

    def _train(self) -> tuple[State, str]:
        with self._clock.account("conditions"):
            machine = self._monitor.begin(self._worker.use())
        self._record.emit(schema.Go(budget_s=self._trial.budget.runtime_s, machine=machine))
        self._freezer.thaw()
        while not self._snapshots.is_over:
            snapshot = self._run_to_look()
            self._look(snapshot)
            if self._search.hit and self._trial.stop_rule == "target":
                break
            with self._clock.account("checkpoint"):
                clock = self._clock.timed_s, self._clock.others()
                self._checkpoints.keep(snapshot, clock, self._search, self._record.emit)
            self._freezer.thaw()
        if self._search.hit:
            return "reached", "the target was met"
        return "budget", "the budget was spent before the target was met"

    def _run_to_look(self) -> HeldSnapshot:
        """Let the worker train up to the next look, with a glance at each grid point."""
        self._snapshots.go()
        while not self._search.is_look_due(self._snapshots.next_point):
            self._search.keep(self._snapshots.glance())
        stopped_worker = self._snapshots.stop()
        self._freezer.freeze()
        return self._snapshots.accept(stopped_worker)

    def _look(self, snapshot: HeldSnapshot) -> None:
        """Evaluate a snapshot, search if it hits, and complete the evaluations of snapshots in the
        result.
        """
        before = self._search.hit
        is_kept = self._snapshots.is_over or self._checkpoints.state_bytes > 0
        self._search.look(snapshot, whole=is_kept)
        hit = self._search.hit
        if hit is not None and hit is not before:
            self._evaluator.complete(hit.snapshot)
        is_hit = hit is not None and hit.snapshot is snapshot
        if self._snapshots.is_over and not is_hit:
            self._evaluator.complete(snapshot)

    def _profile(self) -> None:
        """Profile some steps; the trial has its result by now, so a failure is only recorded."""
        with self._clock.account("profile"):
            try:
                self._freezer.thaw()
                self._talk.send(Profile(steps=PROFILED_STEPS, cap_s=PROFILE_CAP_S))
                profile, _ = self._talk.expect(
                    Profiled, PROFILE_CAP_S + conversation.GRACE_S, "profile its steps"
                )
            except (TrialEndedError, WireError) as error:
                self._record.emit(schema.NoProfile(why=printable(str(error))))
                return
        self._record.claim(profile_of(profile))

    def _resume(self, checkpoint: Checkpoint) -> None:
        """Resume from a checkpoint, off the clock.

        If the worker dies meanwhile, the trial ends at the time of the checkpoint.
        """
        position = checkpoint.position
        self._search.resume(position.search)
        self._snapshots.resume(position.last.to_snapshot())
        try:
            self._prepare()
            with self._clock.account("restore"):
                self._freezer.thaw()
                self._talk.send(Restore(state=checkpoint.state), checkpoint.tensors)
                self._talk.expect(Ready, conversation.SETUP_TIMEOUT_S, "take its state back")
            self._freezer.freeze()
        finally:
            self._clock.stop()
            self._clock.resume(position.timed_s, position.others_s)

    def _explain_death(self, reason: str) -> tuple[State, str]:
        if self._monitor.kernel_has_killed():
            return "out_of_memory", f"the kernel ran out of memory: {reason}"
        return "crashed", f"the worker ended: {reason}"

    def _result(self, state: State, reason: str) -> Result:
        return Result(
            state=state,
            reason=reason,
            timed_s=self._clock.timed_s,
            steps=self._snapshots.steps,
            **self._search.outcome()._asdict(),
        )
