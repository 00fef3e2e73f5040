"""The referee: owns clock, budget and evaluation of one trial, and drives one worker.

    setting up -> warming up -> loading -> (running -> observing)* -> ended

Whatever the worker does, the trial ends in one state; what the worker says is written down as a
claim, what the referee sees as a measurement.
"""

from __future__ import annotations

from harness.core.errors import CannotWriteError
from harness.machine.readings import interference
from harness.plan.trial import Result, State, Trial
from harness.protocol.messages import (
    Go,
    Load,
    Profile,
    Profiled,
    Ready,
    Restore,
    Snapshot,
    Stop,
    Stopped,
    ToRefereeMessage,
    Warm,
    WarmUp,
)
from harness.protocol.wire import Tensors, Wire, WireClosedError, WireError, WireTimeoutError
from harness.record import schema
from harness.record.recorder import Recorder
from harness.referee import conversation
from harness.referee.checkpoint import Checkpoint, Checkpoints
from harness.referee.checks import are_finite, checked_parameters, printable
from harness.referee.claims import claims_of, profile_of, warm_up_of
from harness.referee.clock import Clock
from harness.referee.context import TrialContext
from harness.referee.conversation import Conversation
from harness.referee.ending import TrialEndedError, describe_error
from harness.referee.eval_schedule import EvalSchedule
from harness.referee.evaluation import SnapshotEvaluator
from harness.referee.freezer import Freezer
from harness.referee.monitor import HostMonitor
from harness.referee.target_search import HeldSnapshot, TargetSearch
from harness.sandboxes.base import WorkerProcess

LOOK_EVERY_S = 0.5
"""How often a running worker's memory is looked at and its progress told."""
EXIT_TIMEOUT_S = 2.0
PROFILED_STEPS = 5
PROFILE_CAP_S = 1.0
"""Of the steps after the end whose parts are timed; one that has begun may take as long again."""


class Referee:
    """Runs one trial to its end.

    Args:
        trial: what to run.
        context: what it needs.
        worker: the confined worker, waiting for HELLO.
        wire: the referee's end of the wire.
        recorder: takes what is measured, what the worker claims, and what is only shown.
        checkpoints: keeps what a successor would need.
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
    ) -> None:
        self._trial, self._context, self._worker = trial, context, worker
        self._record, self._checkpoints = recorder, checkpoints
        self._clock = Clock(context.start_s)
        self._talk = Conversation(wire, recorder, self._clock, trial.budget.runtime_s)
        self._schedule = EvalSchedule(trial)
        evaluator = SnapshotEvaluator(trial, context, self._clock, recorder)
        limit_s = trial.budget.runtime_s
        self._search = TargetSearch(trial.grid, trial.target, evaluator.value, limit_s)
        self._last: HeldSnapshot | None = None
        self._monitor = HostMonitor(context.reading)
        self._freezer = Freezer(worker, context.idle, trial.budget, self._clock)

    def run(self, checkpoint: Checkpoint | None = None) -> Result:
        """Run the trial, or go on with what a dead referee left; the worker is dead afterwards."""
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
            machine = self._monitor.changes()
        causes = interference(machine, self._trial.limits.drift) if machine else ()
        result = self._result(state, reason).model_copy(update={"interference": causes})
        clock = self._clock.entries()
        self._record.emit(
            schema.End(result=result, clock=clock, machine=machine or schema.NoReadings())
        )
        return result

    def _run_attempt(self, checkpoint: Checkpoint | None) -> tuple[State, str]:
        try:
            return self._phases(checkpoint)
        except TrialEndedError as end:
            return end.state, printable(end.reason)
        except WireClosedError:
            return self._why_it_died()
        except WireTimeoutError as error:
            return "hung", str(error)
        except WireError as error:
            return "invalid", printable(str(error))
        finally:
            self._clock.stop()
            self._monitor.note(self._worker.use())

    def _phases(self, checkpoint: Checkpoint | None) -> tuple[State, str]:
        with self._clock.account("setup"):
            self._talk.send(self._context.hello)
            self._talk.expect(Ready, conversation.SETUP_TIMEOUT_S, "set up")
        self._record.emit(schema.Ready())
        self._warm_up()
        self._load()
        if checkpoint is not None:
            self._resume(checkpoint)
        ending = self._train()
        if self._trial.probes:
            self._profile()
        return ending

    def _warm_up(self) -> None:
        """Let it compile; what setting up took is part of the time that is free."""
        cap_s = max(0.0, self._trial.limits.warmup_s - self._clock.others()["setup"])
        with self._clock.account("warm_up"):
            self._talk.send(WarmUp(cap_s=cap_s))
            warm, _ = self._talk.expect(Warm, cap_s + conversation.GRACE_S, "warm up")
        self._record.claim(warm_up_of(warm))

    def _load(self) -> None:
        """Hand over data and parameters, on the clock: whoever has them could train with them."""
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

    def _train(self) -> tuple[State, str]:
        points = self._schedule.points
        with self._clock.account("conditions"):
            machine = self._monitor.begin()
        self._record.emit(schema.Go(budget_s=self._trial.budget.runtime_s, machine=machine))
        self._freezer.thaw()
        point = self._last.grid if self._last else 0
        while point < points:
            snapshot = self._run_until(point + 1, points)
            point = snapshot.grid
            is_last = point >= points
            self._search.add(snapshot, is_last)
            if self._search.hit and self._trial.stop_rule == "target":
                break
            with self._clock.account("checkpoint"):
                clock = self._clock.timed_s, self._clock.others()
                self._checkpoints.keep(snapshot, clock, self._search, self._record.emit)
            self._freezer.thaw()
        if self._search.hit:
            return "reached", "the target was met"
        return "budget", "the budget was spent before the target was met"

    def _profile(self) -> None:
        """Ask where a step's time goes; the trial has its result, so a failure is only noted."""
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

    def _run_until(self, point: int, points: int) -> HeldSnapshot:
        """Let the worker train to a grid point; it is frozen when this returns."""
        due_s, until_step = self._schedule.deadline(point)
        self._clock.start()
        checkpoint_bytes = self._checkpoints.wanted_bytes(point, self._clock.timed_s)
        self._talk.send(
            Go(fraction=self._fraction(), until_step=until_step, checkpoint_bytes=checkpoint_bytes)
        )
        self._watch(due_s)
        if not self._talk.poll():
            self._talk.send(Stop(reason="budget" if point == points else "grid"))
            self._watch(self._trial.budget.runtime_s + conversation.GRACE_S, is_limit=True)
        elif until_step is None:
            self._talk.refuse_unasked()
        snapshot, tensors = self._talk.expect_in_time(Snapshot, "hand over its snapshot")
        message, _ = self._talk.expect_in_time(Stopped, "say that it stopped")
        timed_s = self._clock.stop()
        self._freezer.freeze()
        with self._clock.account("snapshot_copy"):
            tensors = self._checkpoints.without_state(snapshot, tensors)
            return self._hold(point, timed_s, snapshot, message, tensors)

    def _resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint; nothing of this is on the clock."""
        position = checkpoint.position
        self._search.resume(position.search)
        self._last = position.last.to_snapshot()
        with self._clock.account("restore"):
            self._freezer.thaw()
            self._talk.send(Restore(state=checkpoint.state), checkpoint.tensors)
            self._talk.expect(Ready, conversation.SETUP_TIMEOUT_S, "take its state back")
        self._freezer.freeze()
        self._clock.resume(position.timed_s, position.others_s)

    def _fraction(self) -> float:
        return self._schedule.fraction(self._clock.timed_s, self._last.step if self._last else 0)

    def _watch(self, until_s: float, is_limit: bool = False) -> None:
        """Wait until the worker speaks or the clock shows a time, with an eye on its memory."""
        while (remaining_s := until_s - self._clock.timed_s) > 0.0:
            if self._talk.poll(min(remaining_s, LOOK_EVERY_S)):
                return
            self._look()
        if is_limit:
            why = f"no snapshot within {conversation.GRACE_S:g} s of the end of the budget"
            raise TrialEndedError("hung", why)

    def _look(self) -> None:
        self._monitor.check(self._worker.use(), self._trial.limits.memory_gib)
        progress = schema.TrainingProgress(timed_s=self._clock.timed_s, fraction=self._fraction())
        self._record.tell(progress)

    def _hold(
        self, point: int, timed_s: float, snapshot: Snapshot, message: Stopped, tensors: Tensors
    ) -> HeldSnapshot:
        if message.step != snapshot.step or (self._last and snapshot.step < self._last.step):
            raise TrialEndedError("invalid", f"the worker's steps do not fit: {message.step}")
        parameters = checked_parameters(tensors, self._context.shapes)
        grid = self._schedule.last_point(point, timed_s)
        held_snapshot = HeldSnapshot(grid, snapshot.step, timed_s, message.examples, parameters)
        self._last = held_snapshot
        with self._clock.account("record"):
            self._record.claim(
                schema.SnapshotTaken(
                    grid=grid,
                    step=snapshot.step,
                    timed_s=timed_s,
                    fraction=self._fraction(),
                    claims=claims_of(message),
                )
            )
        if not are_finite(parameters):
            raise TrialEndedError("diverged", f"parameters not finite at step {snapshot.step}")
        return held_snapshot

    def _why_it_died(self) -> tuple[State, str]:
        reason = self._worker.exit_reason(EXIT_TIMEOUT_S)
        if self._monitor.kernel_has_killed():
            return "out_of_memory", f"the kernel ran out of memory: {reason}"
        return "crashed", f"the worker ended: {reason}"

    def _result(self, state: State, reason: str) -> Result:
        return Result(
            state=state,
            reason=reason,
            timed_s=self._clock.timed_s,
            steps=self._last.step if self._last else 0,
            **self._search.outcome()._asdict(),
        )
