"""Time one step of every algorithm against the same algorithm in other packages.

    python benchmarks/optimizers.py                      # every submission, both sets of shapes
    python benchmarks/optimizers.py --shapes mlp --names soap muon --device cuda

All implementations of a name take their steps in turn in one process, on the same gradients. It
prints the median and mean step in ms, the largest step over the median, the best rival's median and
mean over ours (above 1: we are faster), the FLOPs of a step's matrix products (eigendecompositions
and QR are not counted) and their fraction of the machine's peak, measured here on square products.
A submission that draws its own batches is timed on the perceptron of the suite `quick`, its passes
included, without a rival. `--clock cpu` (with one thread) measures the process's own time, which
does not include waiting for other processes. heavyball runs without its compiler. The rivals come
with the extras `dev` and `bench`; packages that are not installed are listed as missing.
"""

from __future__ import annotations

import argparse
import importlib
import math
import statistics
import time
import tomllib
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from rivals import RIVALS, Rival
from torch.utils.flop_counter import FlopCounterMode

from harness.core.seeds import philox
from harness.frameworks.examples import Examples, ModelSource
from harness.frameworks.load import training_backend
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from harness.providers.registry import submission_folders, workload
from harness.submission.interface import Hyperparameters
from harness.submission.ranks import OneRank, Ranks
from submissions.common.matrix_sign import product_dtype
from workloads.parameters import Init, ParameterSpec, Role, initial_parameters

MATRIX, OUT, BIAS = Role.HIDDEN_MATRIX, Role.OUTPUT, Role.BIAS
SHAPES: dict[str, list[tuple[tuple[int, ...], Role]]] = {
    "mlp": [((256, 256), MATRIX), ((256,), BIAS)] * 2 + [((10, 256), OUT), ((10,), BIAS)],
    "transformer": [
        ((rows, columns), MATRIX)
        for _ in range(6)
        for rows, columns in ((1152, 384), (384, 384), (1536, 384), (384, 1536))
    ],
}
Step = Callable[[], object]
WARM_UP = 60
"""Untimed rounds, after which every basis and root exists and PSGD's initial burst is over. Fewer
(`--warm-up`) suffice for other methods.
"""


@dataclass(frozen=True)
class BareProblem:
    """Parameters and specs: the part of a problem that `build` reads."""

    parameters: dict[str, torch.Tensor]
    specs: dict[str, ParameterSpec]
    ranks: Ranks[torch.Tensor] = field(default_factory=OneRank[torch.Tensor])


def bare_problem(shapes: Iterable[tuple[tuple[int, ...], Role]], device: str) -> BareProblem:
    """Parameters with gradients, the same at every call."""
    generator = torch.Generator().manual_seed(0)
    parameters: dict[str, torch.Tensor] = {}
    specs = {}
    for place, (shape, role) in enumerate(shapes):
        name, scale = f"p{place}", 0.02
        value = scale * torch.randn(shape, generator=generator)
        parameters[name] = torch.nn.Parameter(value.to(device))
        parameters[name].grad = scale * torch.randn(shape, generator=generator).to(device)
        specs[name] = ParameterSpec(name, shape, role, shape[-1], shape[0], Init("normal", scale))
    return BareProblem(parameters, specs)


class NoBudget:
    """A budget that is always half spent."""

    fraction = 0.5

    def progress(self, horizon: float) -> float:
        return min(1.0, self.fraction / horizon)


def point_of(name: str) -> Hyperparameters:
    """A submission's default point."""
    space = tomllib.loads((submission_folders()[name] / "space.toml").read_text())
    point: Hyperparameters = space["default"]
    return point


def our_step(name: str, shapes: str, device: str) -> Step | None:
    """One step of a submission at its default point; None if it needs more than shapes."""
    step = built_step(name, bare_problem(SHAPES[shapes], device))
    folder = submission_folders()[name]
    if step is not None or shapes != "mlp" or not (folder / "submission.py").exists():
        return step
    return class_step(folder, point_of(name), device)


def built_step(name: str, problem: BareProblem) -> Step | None:
    """The step of the result of a submission's `build`; None if it has none in torch."""
    if not (submission_folders()[name] / "submission.py").exists():
        return None
    module = importlib.import_module(f"submissions.{name}.submission")
    if not hasattr(module, "build"):
        return None
    result = module.build(problem, point_of(name))
    step: Step = (result[0] if isinstance(result, tuple) else result).step
    return step


def class_step(folder: Path, point: Hyperparameters, device: str) -> Step:
    """A step on the perceptron of the suite `quick`, with examples of noise."""
    definition = workload("mlp")
    spec, model = definition.at("quick"), definition.module("model")
    source = ModelSource(definition.package, spec.sizes, "cross_entropy", spec.precision)
    backend, size = training_backend("torch", device, torch.get_num_threads()), spec.batch_size
    problem = backend.problem(ProblemConfig(source, NoBudget(), size, 100 * size, 0))
    backend.load(
        problem, initial_parameters(model.parameters(spec.sizes), philox("0" * 32, "weights"))
    )
    random = np.random.default_rng(0)
    inputs = random.standard_normal((100 * size, 256)).astype(np.float32)
    examples = Examples(inputs, random.integers(0, 10, 100 * size))
    stream = backend.stream(examples, Order("0" * 32, 100 * size), size)
    submission = backend.submission(str(folder), point)
    submission.setup(problem, point)
    return lambda: submission.step(stream)


def rival_step(rival: Rival, shapes: str, device: str, decay: float) -> Step | str:
    """One step of a rival with a weight decay, or the reason why there is none."""
    try:
        module = importlib.import_module(rival.package)
    except ImportError as error:
        return f"missing: {error.name}"
    if rival.package == "heavyball":
        # Compiling with autotuning takes minutes a shape.
        module.utils.compile_mode = None
    if not hasattr(module, rival.name):
        return f"{rival.package} has no {rival.name}"
    selection = [(s, role) for s, role in SHAPES[shapes] if len(s) > 1 or not rival.matrices]
    problem = bare_problem(selection, device)
    group = {"params": list(problem.parameters.values()), **rival.group}
    arguments = {"weight_decay": decay, **rival.arguments}
    optimizer = getattr(module, rival.name)([group], **arguments)
    # Some packages drop gradients after a step.
    gradients = {p: p.grad for p in problem.parameters.values()}

    def step() -> None:
        for parameter, gradient in gradients.items():
            parameter.grad = gradient
        optimizer.step()

    if callable(getattr(optimizer, "train", None)):
        optimizer.train()
    return step


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def time_steps(
    steps: dict[str, Step], rounds: int, device: str, clock: str = "wall", warm_up: int = WARM_UP
) -> dict[str, list[float]]:
    """Milliseconds of every step, taking turns; the first rounds do not count."""
    now = CLOCKS[clock]
    times: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(rounds + warm_up):
        for name, step in steps.items():
            start_s = now()
            step()
            if device == "cuda":
                torch.cuda.synchronize()
            if round_ >= warm_up:
                times[name].append(1e3 * (now() - start_s))
    return times


def peak_gflops(device: str) -> float:
    """The best of twenty products of 1024 x 1024 matrices, in the precision of matrix products."""
    a = torch.randn(1024, 1024, device=device).to(product_dtype(torch.device(device)))
    steps: dict[str, Step] = {"product": lambda: a @ a}
    return 2 * 1024**3 / min(time_steps(steps, 20, device)["product"]) / 1e6


def product_flop(_out: object, a: Sequence[int], b: Sequence[int], *_: object, **__: object) -> int:
    """FLOPs of a product added to another tensor, from the shapes."""
    return int(2 * math.prod(a) * b[-1])


IN_PLACE = {
    torch.ops.aten.addmm_: product_flop,
    torch.ops.aten.baddbmm_: product_flop,
}
"""Products that torch's own counter ignores."""


def counted_gflop(step: Step) -> float:
    """GFLOPs of the matrix products of one step."""
    with FlopCounterMode(display=False, custom_mapping=IN_PLACE) as counter:
        step()
    return float(counter.get_total_flops() / 1e9)


def rows(name: str, shapes: str, args: argparse.Namespace, peak: float) -> list[list[str]]:
    """The table's rows for one submission: ours, then its rivals."""
    device = args.device
    ours = our_step(name, shapes, device)
    if ours is None:
        return []
    decay = point_of(name).get("weight_decay", 0.0)
    rivals = {
        f"{rival.package}:{rival.name}": rival_step(rival, shapes, device, decay)
        for rival in RIVALS.get(name, ())
    }
    steps = {"ours": ours} | {k: step for k, step in rivals.items() if not isinstance(step, str)}
    times = time_steps(steps, args.rounds, device, args.clock, args.warm_up)
    lines = []
    for key, values in times.items():
        gflop, median = counted_gflop(steps[key]), statistics.median(values)
        cells = [median, statistics.mean(values), max(values) / median]
        fraction = f"{1e5 * gflop / median / peak:.0f} %"
        label, ratio = (name, faster(times)) if key == "ours" else (f"  {key}", "")
        lines.append([label, *(f"{cell:.3f}" for cell in cells), ratio, f"{gflop:.3f}", fraction])
    return lines + [[f"  {k}", why, *[""] * 5] for k, why in rivals.items() if isinstance(why, str)]


def faster(times: dict[str, list[float]]) -> str:
    """How many times faster ours is than the best rival, by the median and by the mean."""
    if len(times) == 1:
        return ""
    ratios = []
    for of in (statistics.median, statistics.mean):
        best = min(of(values) for key, values in times.items() if key != "ours")
        ratios.append(f"{best / of(times['ours']):.2f}")
    return " / ".join(ratios)


def main() -> None:
    """Print a table for each set of shapes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--names", nargs="*", default=sorted(submission_folders()))
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--warm-up", type=int, default=WARM_UP)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", default="wall", choices=sorted(CLOCKS))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore")
    console, peak = Console(width=110), peak_gflops(args.device)
    kind = f"{args.device}, {args.threads} threads, {args.clock} clock"
    console.print(f"{kind}, peak of products {peak:.0f} GFLOP/s")
    for shapes in args.shapes:
        table = Table(title=shapes)
        for title in (
            "algorithm",
            "median ms",
            "mean ms",
            "max/median",
            "ratio",
            "GFLOP",
            "of peak",
        ):
            table.add_column(title, justify="left" if title == "algorithm" else "right")
        for name in args.names:
            for row in rows(name, shapes, args, peak):
                table.add_row(*row)
        console.print(table)


if __name__ == "__main__":
    main()
