"""The body that every executor calls: one trial, from its frozen value to its finished record."""

from __future__ import annotations

import math
import os
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.seeds import philox, worker_seed
from harness.frameworks.base import EvaluationBackend, Evaluator
from harness.frameworks.examples import EvalConfig, Examples, ModelSource
from harness.frameworks.load import evaluation_backend
from harness.frameworks.model_source import buffers_of, shapes_of, specs_of
from harness.frameworks.order import Order
from harness.machine.cores import Cores, pinned
from harness.machine.hardware import environment, hardware
from harness.machine.host_monitor import reading
from harness.plan.trial import Result, Trial, TrialRecord
from harness.protocol.messages import TO_REFEREE, Hello
from harness.protocol.wire import Wire
from harness.providers import registry
from harness.record.attempts import attempts_of
from harness.record.ledger import Ledger
from harness.record.log import read_events
from harness.record.recorder import Observer, Recorder
from harness.record.schema import Begin
from harness.record.schema.ledger import AttemptEnded
from harness.record.store import EVENTS_FILE, locked, result_of, write_record
from harness.referee.checkpoint import remove_checkpoint
from harness.referee.context import TrialContext
from harness.referee.idle import IdleProbe
from harness.referee.referee import Referee
from harness.referee.resumption import expected_bytes, left_behind, note_beginning, resumable
from harness.sandboxes.base import Confinement
from harness.sandboxes.load import sandbox
from harness.sandboxes.log import neutral_name
from harness.sandboxes.scratch import scratch as new_scratch
from harness.sandboxes.view import empty_view
from harness.submission.resolution import locate, text_hash
from workloads.data.cache import prepared
from workloads.parameters import initial_buffers, initial_parameters

PROBE_TARGETS = 1024
"""How many targets the referee's probe looks at: of the first examples of the instance's order."""


@dataclass(frozen=True)
class RunOptions:
    """What decides how a trial runs on this machine, and not what it is."""

    sandbox: str = "plain"
    data_dir: Path | None = None
    cache_dir: Path | None = None
    threads: int = 2
    checkpoint_s: float = 60.0
    """The least timed seconds between two checkpoints of a trial."""


def prepare(trial: Trial, options: RunOptions) -> Path:
    """Make the trial's data, or find them made; returns the folder of its splits."""
    workload = registry.workload(trial.workload)
    return prepared(workload, trial.suite, trial.instance_seed, options.data_dir, options.cache_dir)


def run_trial(trial: Trial, store: Path, options: RunOptions, observer: Observer) -> Result:
    """Run a trial unless its record is finished; either way return its result.

    An attempt that was cut short (the referee died) goes on from its last checkpoint; if there is
    none, it stays in the log, and a new one follows it.
    """
    folder = (store / trial.folder).absolute()
    ledger = Ledger(store)
    with locked(folder):
        ledger.plan((trial,))
        if (result := result_of(folder)) is None:
            _check_still_planned(trial)
            _check_not_ended(ledger, trial)
            write_record(folder, TrialRecord(identity=trial.identity, trial=trial))
            result = _attempt(trial, store, options, observer)
        _note_end(ledger, trial, folder, result)
        remove_checkpoint(folder)
        write_record(folder, TrialRecord(identity=trial.identity, trial=trial, result=result))
    return result


def _note_end(ledger: Ledger, trial: Trial, folder: Path, result: Result) -> None:
    events = read_events(folder / EVENTS_FILE)
    ledger.note_once(
        AttemptEnded(
            identity=trial.identity,
            attempt=attempts_of(events)[-1].number,
            state=result.state,
            events=events[-1].hash,
        )
    )


def _check_still_planned(trial: Trial) -> None:
    """A trial names its workload and its submission by content; both must still be those."""
    if registry.workload(trial.workload).content_hash != trial.workload_hash:
        raise HarnessError(
            f"workload '{trial.workload}' has changed since the trial was planned",
            "plan it again: `harness run` with another --out",
        )


def _check_not_ended(ledger: Ledger, trial: Trial) -> None:
    """An ended trial whose events are gone is not run again silently."""
    if (end := ledger.end_of(trial.identity)) is not None:
        raise HarnessError(
            f"{trial.folder} has ended ('{end.state}', attempt {end.attempt}), says the "
            "ledger, but its events do not",
            "bring its folder back; or mark it as lost, and run it again: "
            f"harness rerun OUT --trial {Path(trial.folder).name} --reason TEXT",
        )


def _attempt(trial: Trial, store: Path, options: RunOptions, observer: Observer) -> Result:
    data, folder = prepare(trial, options), (store / trial.folder).absolute()
    recorder = Recorder(folder, observer)
    with (
        recorder.open(),
        new_scratch() as scratch,
        empty_view(data) as view,
        pinned(options.threads) if trial.device == "cpu" else nullcontext() as cores,
        neutral_name(folder / "worker.log", store.absolute()) as log,
    ):
        events = read_events(folder / EVENTS_FILE)
        ledger, begun_s = Ledger(store), time.monotonic()
        beginning = _beginning(trial, ledger.attempts(trial.identity) + 1, options)
        left = left_behind(trial, folder, events, beginning)
        note_beginning(ledger, recorder, beginning, left)
        framework = evaluation_backend(trial.framework, trial.device, options.threads)
        framework.pin()
        context = _context(trial, data, framework, options, cores, begun_s=begun_s)
        checkpoints = resumable(trial, folder, options.checkpoint_s, context.shapes, left)
        confinement = Confinement(
            framework=trial.framework,
            threads=options.threads,
            memory_gib=trial.limits.memory_gib,
            scratch=scratch,
            log=log,
            view=view,
            submission=_submission_files(context.hello.submission),
            hidden=(store.absolute(), data.parent),
            cores=cores.worker if cores else (),
        )
        worker = sandbox(options.sandbox).start(confinement)
        wire = Wire(worker.connection, TO_REFEREE, max_tensor_bytes=expected_bytes(context.shapes))
        return Referee(trial, context, worker, wire, recorder, checkpoints=checkpoints).run(left)


def _submission_files(location: str) -> Path | None:
    """A submission's file or folder; None for an import path."""
    return Path(location) if Path(location).is_absolute() else None


def _beginning(trial: Trial, attempt: int, options: RunOptions) -> Begin:
    machine = hardware(trial.device)
    return Begin(
        identity=trial.identity,
        attempt=attempt,
        submission_files=text_hash(trial.submission),
        hardware=machine,
        fingerprint=machine.fingerprint,
        environment=environment(),
        threads=options.threads,
        sandbox=options.sandbox,
        unenforced=tuple(sandbox(options.sandbox).unenforced()),
        load_average=os.getloadavg()[0],
    )


def _context(
    trial: Trial,
    data: Path,
    framework: EvaluationBackend,
    options: RunOptions,
    cores: Cores | None,
    *,
    begun_s: float,
) -> TrialContext:
    workload = registry.workload(trial.workload)
    declared = workload.at(trial.suite)
    sizes = declared.sizes_of(trial.variant)
    is_compiled = declared.compile and trial.device.startswith("cuda")
    source = ModelSource(workload.package, sizes, workload.spec.loss, trial.precision, is_compiled)
    train = Examples.open(data / "train", declared.limits.resident_gib)
    weights = philox(trial.instance_seed, "weights")
    return TrialContext(
        hello=_hello(trial, source, train, options.threads),
        train_folder=data / "train",
        parameters=initial_parameters(tuple(specs_of(source).values()), weights)
        | initial_buffers(tuple(buffers_of(source).values())),
        shapes=shapes_of(source),
        evaluator=_evaluator(trial, source, data, train, framework),
        splits=_splits(data),
        reading=partial(reading, trial.device, options.threads, cores),
        idle=IdleProbe.measured(framework.probe, trial.device),
        begun_s=begun_s,
    )


def _splits(data: Path) -> tuple[str, ...]:
    return tuple(name for name in ("validation", "test") if (data / name).is_dir())


def _evaluator(
    trial: Trial, source: ModelSource, data: Path, train: Examples, framework: EvaluationBackend
) -> Evaluator:
    declared = registry.workload(trial.workload).at(trial.suite)
    order = Order(worker_seed(trial.instance_seed), len(train.targets))
    first = order.slice(0, min(PROBE_TARGETS // math.prod(train.targets.shape[1:]), order.examples))
    probe = Examples(train.inputs[first], train.targets[first])
    limit_gib = declared.limits.resident_gib
    splits = {name: Examples.open(data / name, limit_gib) for name in _splits(data)}
    eval_config = EvalConfig(declared.evaluation_batch, declared.augmentation)
    return framework.evaluator(source, splits, probe, eval_config)


def _hello(trial: Trial, source: ModelSource, train: Examples, threads: int) -> Hello:
    declared = registry.workload(trial.workload).at(trial.suite)
    return Hello(
        framework=trial.framework,
        device=trial.device,
        threads=threads,
        package=source.package,
        sizes=source.sizes,
        loss=source.loss,
        precision=trial.precision,
        batch_size=declared.batch_size,
        train_examples=len(train.targets),
        input_shape=train.inputs.shape[1:],
        input_dtype=str(train.inputs.dtype),
        target_shape=train.targets.shape[1:],
        classes=source.sizes["classes"],
        compile=source.is_compiled,
        augmentation=declared.augmentation,
        resident_gib=declared.limits.resident_gib,
        submission=locate(trial.submission, trial.framework),
        hyperparameters=trial.point,
        seed=worker_seed(trial.instance_seed),
        budget_s=trial.budget.runtime_s,
        budget_steps=trial.budget.steps,
    )
