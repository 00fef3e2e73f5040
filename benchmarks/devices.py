"""The memory of an optimizer's state and the time of a step, by the number of ranks.

    python benchmarks/devices.py                                    # adamw, muon and shampoo on mlp
    python benchmarks/devices.py --workload lm --names shampoo --ranks 1 2 4 --threads 1

For each number of ranks, the workload's model trains in PyTorch on its first instance, on slices of
the workload's batch, in processes connected by gloo over the loopback, without referee or sandbox.
It prints the largest state of a rank in MiB, the state of all ranks together, the median
milliseconds of a step over rounds (a round ends when it has ended on every rank), and the time on
one rank divided by it. Give every rank cores of its own, and leave the machine otherwise idle.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from harness.core.seeds import PUBLIC_ROUND_SEED, instance_seed, philox
from harness.frameworks.base import Place
from harness.frameworks.examples import Examples, ModelSource
from harness.frameworks.load import training_backend
from harness.frameworks.model_source import buffers_of, specs_of
from harness.frameworks.order import Order
from harness.frameworks.problem import NoBudget, ProblemConfig
from harness.providers.registry import submission_folders, workload
from workloads.data.cache import prepare_instance
from workloads.parameters import initial_buffers, initial_parameters

MIB = 2**20


@dataclass(frozen=True)
class Setting:
    """The settings of the training."""

    workload: str
    suite: str
    name: str
    changes: Mapping[str, float]
    threads: int
    warm_up: int
    rounds: int
    steps: int
    """The number of steps of a round."""


@dataclass(frozen=True)
class Measurement:
    """The state and the times of one rank."""

    state_bytes: int
    step_s: float


def measure(setting: Setting, place: Place) -> Measurement:
    """Train on one rank, together with the others."""
    definition = workload(setting.workload)
    size = definition.at(setting.suite)
    seed = instance_seed(PUBLIC_ROUND_SEED, setting.suite, setting.workload, 1, 1)
    folder = prepare_instance(definition, setting.suite, seed, None, None)
    source = ModelSource(definition.package, size.sizes, definition.spec.loss, size.precision)
    train = Examples.open(folder / "train", size.limits.resident_gib)
    backend = training_backend("torch", "cpu", setting.threads, place)
    backend.pin()
    problem = backend.problem(
        ProblemConfig(source, NoBudget(), size.batch_size, len(train.targets), 1)
    )
    start = initial_parameters(tuple(specs_of(source).values()), philox(seed, "weights"))
    backend.load(problem, start | initial_buffers(tuple(buffers_of(source).values())))
    order = Order(seed, len(train.targets))
    stream = backend.stream(train, order, size.batch_size, size.augmentation)
    at = submission_folders()[setting.name]
    point = tomllib.loads((at / "space.toml").read_text())["default"] | dict(setting.changes)
    submission = backend.submission(str(at), point)
    submission.setup(problem, point)
    times = []
    for count in [setting.warm_up] + [setting.steps] * setting.rounds:
        backend.synchronize()
        start_s = time.perf_counter()
        for _ in range(count):
            submission.step(stream)
        backend.synchronize()
        times.append((time.perf_counter() - start_s) / max(1, count))
    state_bytes = sum(bytes_of(part.state) for part in optimizers(submission))
    return Measurement(state_bytes, statistics.median(times[1:]))


def optimizers(submission: object) -> Iterator[torch.optim.Optimizer]:
    """The optimizers that a submission's `build` has made."""
    optimizer: torch.optim.Optimizer = vars(submission)["_optimizer"]
    yield from getattr(optimizer, "parts", (optimizer,))


def bytes_of(state: object) -> int:
    """The bytes of a state's tensors."""
    if isinstance(state, torch.Tensor):
        return state.nbytes
    if isinstance(state, Mapping):
        return sum(bytes_of(value) for value in state.values())
    return sum(bytes_of(value) for value in state) if isinstance(state, list) else 0


def on_ranks(setting: Setting, world_size: int) -> list[Measurement]:
    """The measurement of each rank, in a fresh process each."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(world_size, context) as pool:
        file = str(Path(folder) / "ranks")
        places = [Place(world_size, rank, file) for rank in range(world_size)]
        return list(pool.map(partial(measure, setting), places))


def row(name: str, world_size: int, ranks: Sequence[Measurement], alone_s: float) -> list[str]:
    """The table's row of a submission on this many ranks."""
    states, step_s = [one.state_bytes for one in ranks], max(one.step_s for one in ranks)
    return [
        name,
        str(world_size),
        f"{max(states) / MIB:.2f}",
        f"{sum(states) / MIB:.2f}",
        f"{1e3 * step_s:.2f}",
        f"{alone_s / step_s:.2f}",
    ]


def main() -> None:
    """Measure what the command line requests, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--workload", default="mlp")
    parser.add_argument("--suite", default="quick")
    parser.add_argument("--names", nargs="+", default=["adamw", "muon", "shampoo"])
    parser.add_argument("--ranks", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of one rank")
    parser.add_argument("--block-side", type=int, default=128, help="of shampoo's blocks")
    parser.add_argument("--warm-up", type=int, default=25, help="steps that are not timed")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=20, help="of a round")
    args = parser.parse_args()
    table = Table("submission", "ranks", "state a rank, MiB", "of all", "step, ms", "times as fast")
    for name in args.names:
        changes = {"block_side": args.block_side} if name == "shampoo" else {}
        setting = Setting(
            args.workload, args.suite, name, changes, args.threads, args.warm_up, args.rounds,
            args.steps,
        )  # fmt: skip
        alone_s = 0.0
        for world_size in args.ranks:
            measurements = on_ranks(setting, world_size)
            alone_s = alone_s or max(one.step_s for one in measurements)
            table.add_row(*row(name, world_size, measurements, alone_s))
    Console().print(table)


if __name__ == "__main__":
    main()
