"""Trials on several devices: the processes they need, and checks before anything is planned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.frameworks.load import has_ranks, parallel_of
from harness.plan.plan import PlanRequest, with_drawn_variant, workload_at
from harness.plan.trial import Trial
from harness.providers import registry
from harness.providers.table import SANDBOXES
from harness.submission.algoperf.location import is_algoperf


class Processes(NamedTuple):
    """The processes of a trial's worker."""

    ranks: int
    """The number of ranks; 1 if one process has all devices."""
    memory_gib: float
    """The memory limit of each: the workload's limit times its number of devices."""


def processes_of(trial: Trial) -> Processes:
    """The processes of a trial's worker."""
    count = trial.devices if has_ranks(trial.framework, trial.devices) else 1
    return Processes(count, trial.limits.memory_gib * trial.devices / count)


def check_devices(request: PlanRequest, options: RunOptions, cores: int | None) -> None:
    """Refuse a number of devices that the request does not support.

    Args:
        request: what is to be run.
        options: the trials' sandbox and threads.
        cores: how many the machine has; None if unknown.

    Raises:
        HarnessError: it is not supported; the message has the first reason and what to do.
    """
    if request.devices < 1:
        raise HarnessError(f"--devices {request.devices} must be at least 1")
    if request.devices > 1:
        for what, instead in _reasons(request, options, cores):
            raise HarnessError(f"--devices {request.devices}: {what}", instead)


def _reasons(
    request: PlanRequest, options: RunOptions, cores: int | None
) -> Iterator[tuple[str, str]]:
    """The reasons why it is not supported, each with what to do."""
    parallel = parallel_of(request.framework)
    if parallel is None:
        yield f"framework {request.framework} trains on one device", "leave out --devices"
        return
    if request.device != "cpu":
        yield (
            f"trials on {request.device} have one GPU each",
            "leave out --devices, or run with --device cpu",
        )
    if is_algoperf(request.submission):
        yield "submissions for AlgoPerf train on one device here", "leave out --devices"
    yield from _of_workload(request, draws_whole_masks=parallel.draws_whole_masks)
    if parallel.has_processes and not getattr(SANDBOXES.load(options.sandbox), "has_ranks", False):
        yield (
            f"processes of {request.framework} meet through sockets, which sandbox "
            f"{options.sandbox} refuses",
            "run with --sandbox plain, or with --framework jax, where one process has all devices",
        )
    demand = request.devices * options.threads
    if cores is not None and demand > cores:
        yield (
            f"with {options.threads} CPU threads each they take {demand} cores; there are {cores}",
            f"allowed: up to {cores} devices, with --threads {max(1, cores // request.devices)}",
        )


def _of_workload(request: PlanRequest, *, draws_whole_masks: bool) -> Iterator[tuple[str, str]]:
    request = with_drawn_variant(request)
    batch_size = workload_at(request).batch_size
    if batch_size % request.devices:
        divisors = [n for n in range(1, 65) if batch_size % n == 0]
        yield (
            f"the batch of {request.workload} in suite {request.suite} has {batch_size} examples, "
            "which cannot be divided equally among them",
            f"allowed, as far as the batch goes: {', '.join(map(str, divisors))}",
        )
    sizes = registry.workload(request.workload).sizes(request.suite, request.variant)
    if sizes.get("dropout", 0.0) and not draws_whole_masks:
        yield (
            f"{request.workload} in suite {request.suite} has dropout, and each process would draw "
            "masks of its own, which are not those of one device",
            "leave out --devices, or run with --framework jax",
        )
