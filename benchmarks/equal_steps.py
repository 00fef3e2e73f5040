"""Train a workload with several submissions at their default points, for equally many steps.

    python benchmarks/equal_steps.py --workload rnn --names ggt sophia_g --steps 100

The clock counts steps, so the schedules do not depend on the machine's speed: `steps` are the whole
budget, as in `harness calibrate`. All start from the same parameters and see the examples in the
same order. `sgd` comes first; every other submission should end at or below its loss. It prints the
loss on the validation split after the last step, its difference from sgd's, and the seconds of a
step. `--seconds` ends a submission early; its row then shows after how many steps, and its loss is
not comparable. `--set NAME=VALUE` changes a hyperparameter of all submissions except sgd.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.core.seeds import PUBLIC_ROUND_SEED, instance_seed, integer, philox, worker_seed
from harness.frameworks.base import Evaluator, TrainingBackend
from harness.frameworks.examples import EvalConfig, Examples, ModelSource
from harness.frameworks.load import evaluation_backend, training_backend
from harness.frameworks.model_source import buffers_of, specs_of
from harness.frameworks.order import Order
from harness.frameworks.problem import STATISTICS_BATCHES, ProblemConfig
from harness.providers.registry import submission_folders, workload
from harness.submission.interface import Hyperparameters
from harness.submission.space import read_space
from harness.worker.budget import WorkerBudget
from workloads.data.cache import prepare_instance
from workloads.parameters import initial_buffers, initial_parameters
from workloads.spec import SuiteWorkload

BASELINE = "sgd"
HELD_OUT = 1024
"""The number of validation examples that are evaluated; more would take longer and add little."""


@dataclass(frozen=True)
class Setting:
    """One instance of a workload, and the length of training."""

    framework: TrainingBackend[Any]
    size: SuiteWorkload
    source: ModelSource
    seed: str
    train: Examples
    evaluator: Evaluator
    steps: int
    limit_s: float


@dataclass(frozen=True)
class Outcome:
    """The result of one training run."""

    loss: float
    steps: int
    step_s: float


def setting(args: argparse.Namespace) -> Setting:
    """The instance of a public round's first trial."""
    definition = workload(args.workload)
    size = definition.at(args.suite)
    seed = instance_seed(PUBLIC_ROUND_SEED, args.suite, args.workload, 1, 1)
    folder = prepare_instance(definition, args.suite, seed, None, None)
    framework = training_backend("torch", "cpu", args.threads)
    referee = evaluation_backend("torch", "cpu", args.threads)
    framework.pin()
    source = ModelSource(definition.package, size.sizes, definition.spec.loss, size.precision)
    held_out = first(Examples.open(folder / "validation", size.limits.resident_gib))
    eval_config = EvalConfig(size.evaluation_batch, size.augmentation)
    evaluator = referee.evaluator(source, {"validation": held_out}, held_out, eval_config)
    train = Examples.open(folder / "train", size.limits.resident_gib)
    return Setting(
        framework, size, source, seed, train, evaluator, args.steps, args.seconds
    )  # fmt: skip


def first(examples: Examples) -> Examples:
    """The examples of the first `HELD_OUT` targets."""
    count = max(1, HELD_OUT // math.prod(examples.targets.shape[1:]))
    return Examples(examples.inputs[:count], examples.targets[:count])


def run(at: Setting, folder: Path, point: Hyperparameters) -> Outcome:
    """Train from the instance's initial parameters and evaluate the submission's evaluation
    parameters.
    """
    budget, size = WorkerBudget(1.0, at.steps), at.size
    examples = len(at.train.targets)
    seed = worker_seed(at.seed)
    choices = integer(seed, "submission")
    problem = at.framework.problem(
        ProblemConfig(at.source, budget, size.batch_size, examples, choices)
    )
    parameters = tuple(specs_of(at.source).values())
    start = initial_parameters(parameters, philox(at.seed, "weights"))
    at.framework.load(problem, start | initial_buffers(tuple(buffers_of(at.source).values())))
    order = Order(seed, examples)
    stream = at.framework.stream(at.train, order, size.batch_size, size.augmentation)
    batches = [stream.next() for _ in range(STATISTICS_BATCHES)]
    stream.seek(0)
    submission = at.framework.submission(str(folder), dict(point))
    submission.setup(problem, dict(point))
    step, start_s = 0, time.perf_counter()
    while step < at.steps and time.perf_counter() - start_s < at.limit_s:
        budget.read(step)
        submission.step(stream)
        step += 1
    step_s = (time.perf_counter() - start_s) / step
    values = submission.eval_parameters()
    if problem.buffers and getattr(submission, "averages_weights", False):
        problem.recompute_statistics(values, batches)
    eval_parameters = at.framework.export({**values, **problem.buffers})
    return Outcome(at.evaluator.metrics(eval_parameters, "validation")["loss"], step, step_s)


def changes(texts: list[str]) -> dict[str, object]:
    """`NAME=VALUE` pairs; a value that is not JSON is a text."""

    def value(text: str) -> object:
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text

    return {name: value(text) for name, _, text in (pair.partition("=") for pair in texts)}


def row(name: str, outcome: Outcome, baseline: Outcome, steps: int) -> list[str]:
    """The table's row of one submission."""
    verdict = f"after {outcome.steps}" if outcome.steps < steps else ""
    if not verdict and not outcome.loss <= baseline.loss:
        verdict = "above"
    difference = f"{outcome.loss - baseline.loss:+.4f}"
    return [name, f"{outcome.loss:.4f}", difference, f"{outcome.step_s:.4f}", verdict]


def main() -> None:
    """Train one submission after another, and print the table row by row."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workload", default="mlp")
    parser.add_argument("--suite", default="quick")
    parser.add_argument("--names", nargs="*", default=sorted(submission_folders()))
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    at, folders, console = setting(args), submission_folders(), Console(width=100)
    table = Table(title=f"{args.workload}, {args.suite}, {args.steps} steps")
    for title in ("submission", "loss", "over sgd", "s a step", ""):
        table.add_column(title, justify="left" if title == "submission" else "right")
    baseline = None
    for name in [BASELINE, *(n for n in args.names if n != BASELINE)]:
        point = dict(read_space(folders[name] / "space.toml").default)
        outcome = run(at, folders[name], point | (changes(args.set) if baseline else {}))
        baseline = baseline or outcome
        cells = row(name, outcome, baseline, args.steps)
        table.add_row(*cells)
        print(*cells, flush=True)
    console.print(table)


if __name__ == "__main__":
    main()
