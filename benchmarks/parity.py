"""The cost of a step in each framework, side by side, for every workload of a suite.

    python benchmarks/parity.py [--suite quick] [--workloads lm rnn] [--submission adamw]
                                [--steps 20] [--rounds 3] [--threads 2] [--device cpu]

A step is the submission's own at its default point, on random examples of the workload's shape,
compiled and warmed up. Each measurement has its own process, and the frameworks take turns; it
prints the median of the rounds' medians. Other load on the machine falsifies these figures. That
both frameworks compute the same is tested in `tests/workloads`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from harness.core.seeds import philox
from harness.frameworks.examples import Examples, ModelSource
from harness.frameworks.load import training_backend
from harness.frameworks.model_source import buffers_of, specs_of
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from harness.providers import registry
from harness.providers.table import FRAMEWORKS
from harness.submission.planned import locate
from harness.submission.reference import Framework
from harness.submission.resolution import resolve
from workloads.parameters import initial_buffers, initial_parameters
from workloads.spec import SuiteWorkload

SEED = "0" * 32
WARM_UP_STEPS = 5
IMAGE_SIDE = {"quick": 16, "standard": 32, "large": 256}


class Unlimited:
    """A budget of which nothing is ever spent."""

    fraction = 0.0

    def progress(self, horizon: float) -> float:
        """Always 0."""
        return 0.0 * horizon


def random_examples(size: SuiteWorkload, suite: str, count: int) -> Examples:
    """Examples of the workload's shape: tokens, images or vectors, according to its sizes."""
    random, sizes = np.random.default_rng(0), size.sizes
    classes = int(sizes["classes"])
    if size.data is not None and "time" in size.data.settings:
        shape = (count, int(size.data.settings["time"]))
        return Examples(*random.integers(0, classes, (2, *shape)).astype(np.uint16))
    targets = random.integers(0, classes, count)
    if "channels" in sizes:
        side = IMAGE_SIDE[suite]
        images = random.integers(0, 256, (count, int(sizes["channels"]), side, side))
        return Examples(images.astype(np.uint8), targets)
    return Examples(
        random.standard_normal((count, int(sizes["inputs"]))).astype(np.float32), targets
    )


def measure(framework: Framework, workload: str, args: argparse.Namespace) -> list[float]:
    """Milliseconds of each step in this process."""
    definition = registry.workload(workload)
    size, submission = definition.at(args.suite), resolve(args.submission)
    backend = training_backend(framework, args.device, args.threads)
    backend.pin()
    source = ModelSource(
        definition.package,
        size.sizes,
        definition.spec.loss,
        size.precision,
        is_compiled=size.compile,
    )
    count = 4 * size.batch_size
    problem = backend.problem(ProblemConfig(source, Unlimited(), size.batch_size, count, 0))
    specs = tuple(specs_of(source).values())
    values = initial_parameters(specs, philox(SEED, "weights"))
    backend.load(problem, {**values, **initial_buffers(tuple(buffers_of(source).values()))})
    examples = random_examples(size, args.suite, count)
    stream = backend.stream(examples, Order(SEED, count), size.batch_size, size.augmentation)
    point = dict(submission.space.default)
    live = backend.submission(locate(submission.ref, framework).place, point)
    live.setup(problem, point)
    times_ms = []
    for _ in range(WARM_UP_STEPS + args.steps):
        start_s = time.perf_counter()
        live.step(stream)
        backend.synchronize()
        times_ms.append(1e3 * (time.perf_counter() - start_s))
    return times_ms[WARM_UP_STEPS:]


def in_own_process(framework: str, workload: str) -> float:
    """The median of `measure`, by running this file again with the same arguments."""
    command = [sys.executable, str(Path(__file__)), *sys.argv[1:], "--measure", framework, workload]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        sys.exit(f"{workload} in {framework} failed:\n{process.stderr}")
    return float(statistics.median(json.loads(process.stdout)))


def arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", default="quick")
    parser.add_argument("--workloads", nargs="*", help="all of the suite by default")
    parser.add_argument("--submission", default="adamw")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure and print, workload by workload."""
    args = arguments()
    if args.measure:
        framework, workload = args.measure
        print(json.dumps(measure(framework, workload, args)))
        return
    heads = "".join(f"{name:>10}" for name in FRAMEWORKS.shipped_values)
    print(f"{'ms a step':12}{heads}  torch / jax")
    for workload in args.workloads or registry.suite(args.suite).workloads:
        rounds = [
            [in_own_process(framework, workload) for framework in FRAMEWORKS.shipped_values]
            for _ in range(args.rounds)
        ]
        torch_ms, jax_ms = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{workload:12}{torch_ms:10.2f}{jax_ms:10.2f}{torch_ms / jax_ms:13.2f}", flush=True)


if __name__ == "__main__":
    main()
