"""Resolves a trial's names on this machine once, and builds from them what the referee and the
worker of an attempt start with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.seeds import branch_seed, derive, permutation, philox, worker_seed
from harness.execution.base import RunOptions
from harness.execution.devices import processes_of
from harness.frameworks.base import EvaluationBackend, Evaluator
from harness.frameworks.examples import EvalConfig, Examples, ModelSource, Parameters, in_order
from harness.frameworks.load import training_backend
from harness.frameworks.model_source import buffers_of, diagnostics_of, shapes_of, specs_of
from harness.frameworks.order import Order
from harness.frameworks.problem import NoBudget, ProblemConfig
from harness.machine.cores import Cores
from harness.machine.hardware import Environment, environment
from harness.machine.host_monitor import MachineReader
from harness.plan.trial import Trial
from harness.protocol.messages import Hello
from harness.providers import registry
from harness.providers.table import FRAMEWORKS
from harness.referee.checkpoint import Checkpoint
from harness.referee.context import TrialContext
from harness.referee.diagnostics import Diagnostics, together, wanted_diagnostics
from harness.referee.idle import IdleProbe
from harness.referee.parts import part_size
from harness.referee.statistics import BatchStatistics
from harness.submission.planned import LocatedSubmission, locate, worker_paths
from workloads.data.cache import prepare_instance
from workloads.parameters import initial_buffers, initial_parameters
from workloads.spec import SuiteWorkload

PROBE_TARGETS = 1024
"""The number of targets in the referee's probe: those of the first examples in the instance's
order."""


@dataclass(frozen=True)
class ResolvedTrial:
    """A trial with its workload, submission and data.

    Args:
        trial: the frozen value.
        size: its workload at its suite's size.
        source: the module and sizes that its model is built from.
        data: the folder of the instance's splits.
        submission: its location, and the hash of its bytes.
    """

    trial: Trial
    size: SuiteWorkload
    source: ModelSource
    data: Path
    submission: LocatedSubmission

    @cached_property
    def train(self) -> Examples:
        """The training split, in memory or mapped."""
        return Examples.open(self.data / "train", self.size.limits.resident_gib)

    @cached_property
    def held_out(self) -> dict[str, Examples]:
        """The existing held-out splits, by name."""
        limit_gib = self.size.limits.resident_gib
        folders = {name: self.data / name for name in ("validation", "test")}
        return {n: Examples.open(f, limit_gib) for n, f in folders.items() if f.is_dir()}

    @property
    def environment(self) -> Environment:
        """The software environment, with the versions of what the submission imports and depends
        on.
        """
        own = environment()
        packages = {**self.submission.versions, **own.packages}
        return own.model_copy(update={"packages": packages})

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of a snapshot's arrays: parameters, then buffers."""
        return shapes_of(self.source)


def prepare_data(trial: Trial, options: RunOptions) -> Path:
    """Make a trial's data, unless they exist; returns the folder of its splits.

    Raises:
        HarnessError: the workload is missing or has changed since the trial was planned, or the
            data cannot be made.
    """
    workload = _planned_workload(trial)
    return prepare_instance(
        workload, trial.suite, trial.instance_seed, options.data_dir, options.cache_dir
    )


def resolve_trial(trial: Trial, options: RunOptions) -> ResolvedTrial:
    """Look up everything that a trial names, and make its data unless they exist.

    Raises:
        HarnessError: as `prepare_data`, or the submission is missing or has changed.
    """
    workload = _planned_workload(trial)
    size = workload.at(trial.suite)
    is_compiled = size.compile and trial.device.startswith("cuda")
    sizes, loss = workload.sizes(trial.suite, trial.variant), workload.spec.loss
    return ResolvedTrial(
        trial=trial,
        size=size,
        source=ModelSource(workload.package, sizes, loss, trial.precision, is_compiled),
        data=prepare_data(trial, options),
        submission=locate(trial.submission, trial.framework),
    )


def check_names(trial: Trial) -> None:
    """Check the names in a trial's folder name before it is created, so that none leads elsewhere.

    Raises:
        HarnessError: workload, suite, variant, framework or submission is unknown.
    """
    FRAMEWORKS.entry(trial.framework)
    registry.workload(trial.workload).sizes(trial.suite, trial.variant)
    locate(trial.submission, trial.framework)


def _planned_workload(trial: Trial) -> registry.Workload:
    workload = registry.workload(trial.workload)
    if workload.content_hash(trial.suite) != trial.workload_hash:
        raise HarnessError(
            f"workload '{trial.workload}' has changed since the trial was planned",
            "plan it again: `harness run` with another --out",
        )
    return workload


def context_of(
    resolved_trial: ResolvedTrial,
    copy: Path,
    framework: EvaluationBackend,
    threads: int,
    cores: Cores | None,
    *,
    start_s: float,
    trunk: Checkpoint | None = None,
) -> TrialContext:
    """Build the context of an attempt's referee.

    Args:
        resolved_trial: the trial with its workload, submission and data.
        copy: the folder with the submission's files.
        framework: evaluates snapshots and probes the device.
        threads: CPU threads per operation, of the referee and of the worker.
        cores: how referee and worker are pinned; None if they are not.
        start_s: when the attempt began, by `time.monotonic`.
        trunk: the checkpoint that a branch starts from.
    """
    device = resolved_trial.trial.device
    all_threads = threads * resolved_trial.trial.devices
    processes = processes_of(resolved_trial.trial)
    parameters, evaluator = _initial(resolved_trial), evaluator_of(resolved_trial, framework)
    return TrialContext(
        hello=hello_of(resolved_trial, copy, threads),
        train_folder=resolved_trial.data / "train",
        parameters=parameters,
        shapes=resolved_trial.shapes,
        evaluator=evaluator,
        diagnostics=_diagnostics(resolved_trial, evaluator, parameters),
        splits=tuple(resolved_trial.held_out),
        validation_examples=len(resolved_trial.held_out["validation"].targets),
        is_order_drawn=_is_order_drawn(resolved_trial),
        statistics=_statistics(resolved_trial, threads),
        reading=MachineReader(device, all_threads, cores, framework.probe),
        idle=IdleProbe.measure(framework.probe, device),
        start_s=start_s,
        memory_gib=processes.memory_gib,
        trunk=trunk,
        ranks=processes.ranks,
    )


def _initial(resolved_trial: ResolvedTrial) -> Parameters:
    """The instance's initial parameters and buffers."""
    weights, source = philox(resolved_trial.trial.instance_seed, "weights"), resolved_trial.source
    buffers = initial_buffers(tuple(buffers_of(source).values()))
    return initial_parameters(tuple(specs_of(source).values()), weights) | buffers


def _diagnostics(
    resolved_trial: ResolvedTrial, evaluator: Evaluator, start: Parameters
) -> Diagnostics | None:
    """The workload's own diagnostics and those that the trial requests; None if there are none."""
    own, specs = diagnostics_of(resolved_trial.source), specs_of(resolved_trial.source)
    by_name = wanted_diagnostics(resolved_trial.trial.diagnostics, evaluator, start, specs)
    return together([*([own] if own else []), *by_name])


def evaluator_of(resolved_trial: ResolvedTrial, framework: EvaluationBackend) -> Evaluator:
    """The evaluator of snapshots, with a probe on the first examples of the instance's order."""
    train, size = resolved_trial.train, resolved_trial.size
    order = Order(worker_seed(resolved_trial.trial.instance_seed), len(train.targets))
    count = max(1, PROBE_TARGETS // math.prod(train.targets.shape[1:]))
    first = order.slice(0, min(count, order.examples))
    probe = Examples(train.inputs[first], train.targets[first])
    held_out, batch = _held_out(resolved_trial)
    eval_config = EvalConfig(batch, size.augmentation)
    return framework.evaluator(resolved_trial.source, held_out, probe, eval_config)


def _held_out(resolved_trial: ResolvedTrial) -> tuple[dict[str, Examples], int]:
    """The held-out splits, validation in the instance's order, and the batch size."""
    splits, most = dict(resolved_trial.held_out), resolved_trial.size.evaluation_batch
    examples = len(splits["validation"].targets)
    if not _is_order_drawn(resolved_trial):
        return splits, most
    seed = derive("validation order", resolved_trial.trial.instance_seed)
    splits["validation"] = in_order(splits["validation"], permutation(seed, 0, examples))
    return splits, part_size(examples, most)


def _is_order_drawn(resolved_trial: ResolvedTrial) -> bool:
    """Whether the validation split is shuffled for the instance, which a mapped split is not."""
    return not resolved_trial.held_out["validation"].is_mapped


def _statistics(resolved_trial: ResolvedTrial, threads: int) -> BatchStatistics:
    trial, size = resolved_trial.trial, resolved_trial.size
    seed, examples = seed_of_worker(trial), len(resolved_trial.train.targets)
    return BatchStatistics(
        backend=partial(training_backend, trial.framework, trial.device, threads),
        config=ProblemConfig(resolved_trial.source, NoBudget(), size.batch_size, examples, 0),
        examples=lambda: resolved_trial.train,
        order=Order(seed, examples),
        augmentation=size.augmentation,
    )


def hello_of(resolved_trial: ResolvedTrial, copy: Path, threads: int) -> Hello:
    """HELLO, the first message to a trial's worker: what to build, and how long it may train."""
    place, import_from = worker_paths(resolved_trial.submission, copy)
    trial, size = resolved_trial.trial, resolved_trial.size
    source, train = resolved_trial.source, resolved_trial.train
    return Hello(
        framework=trial.framework,
        device=trial.device,
        devices=trial.devices,
        threads=threads,
        package=source.package,
        sizes=source.sizes,
        loss=source.loss,
        precision=trial.precision,
        batch_size=trial.batch_size or size.batch_size,
        train_examples=len(train.targets),
        input_shape=train.inputs.shape[1:],
        input_dtype=str(train.inputs.dtype),
        target_shape=train.targets.shape[1:],
        compile=source.is_compiled,
        augmentation=size.augmentation,
        resident_gib=size.limits.resident_gib,
        submission=place,
        import_from=import_from,
        hyperparameters=trial.point,
        seed=seed_of_worker(trial),
        budget_s=trial.budget.runtime_s,
        budget_steps=trial.budget.steps,
        step_hint=trial.budget.steps or size.budget.step_hint(trial.budget.scale),
    )


def seed_of_worker(trial: Trial) -> str:
    """The seed of a worker's order of examples; a branch has its own."""
    seed = worker_seed(trial.instance_seed)
    return seed if trial.branch is None else branch_seed(seed, trial.branch.order)
