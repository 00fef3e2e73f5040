"""How fast a workload's torch model is, compared with a plain one of the same size.

    python benchmarks/models.py [--workload lm] [--suite quick] [--rounds 20] [--threads 2]
                                [--device cpu] [--peak-tflops 989]

Both models make forward and backward passes on the same random batch in the suite's precision, in
turn in one process. It prints the examples per second of each (tokens, for language models) and the
median over the rounds of the ratio, workload over reference, which should be at least 1. On CUDA it
also prints the fraction of the peak that the workload's model reaches (model-FLOPs utilisation,
with `torch.compile` where the suite uses it).
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from reference_resnet import Reference as ReferenceResnet
from reference_transformer import Reference as ReferenceTransformer
from torch import Tensor, nn

from harness.frameworks.torch.loss import loss_of
from harness.frameworks.torch.problem import mean_loss
from harness.providers import registry
from workloads.lm.model import parameters, validate
from workloads.parameters import Role
from workloads.spec import Data, SuiteWorkload

GOAL, UTILISATION_GOAL = 1.0, 0.45
IMAGE_SIDES = {"patches": 16, "cifar10": 32}


@dataclass(frozen=True)
class Case:
    """A workload's model, the one it is compared with, and their input."""

    reference: Callable[[SuiteWorkload], nn.Module]
    batch: Callable[[SuiteWorkload], tuple[Tensor, Tensor]]
    """Random inputs and targets of the suite's batch size."""
    unit: str
    flops: Callable[[SuiteWorkload], float] | None = None
    """FLOPs of one forward and backward pass on the batch; None if unknown."""


def data_of(size: SuiteWorkload) -> Data:
    """The data of a workload that has some, as all here do."""
    if size.data is None:
        raise SystemExit("this workload has no data")
    return size.data


def tokens(size: SuiteWorkload) -> tuple[Tensor, Tensor]:
    """Random tokens and targets, (batch, time)."""
    shape, classes = (size.batch_size, int(data_of(size).settings["time"])), size.sizes["classes"]
    return (
        torch.randint(0, classes, shape, dtype=torch.int32),
        torch.randint(0, classes, shape),
    )


def images(size: SuiteWorkload) -> tuple[Tensor, Tensor]:
    """Random images (batch, channels, side, side), as the stream crops them, and classes."""
    crop = None if size.augmentation is None else size.augmentation.crop_to
    side = crop or IMAGE_SIDES[data_of(size).source]
    shape = (size.batch_size, size.sizes["channels"], side, side)
    return (
        torch.randint(0, 256, shape, dtype=torch.uint8),
        torch.randint(0, size.sizes["classes"], (size.batch_size,)),
    )


def transformer_flops(size: SuiteWorkload) -> float:
    """Six per matrix entry and token, plus attention's two products of causal length.

    As in Chowdhery et al. (2022, appendix B), but attention counted as causal.
    """
    sizes, time_steps = validate(size.sizes), int(data_of(size).settings["time"])
    roles = (Role.HIDDEN_MATRIX, Role.EMBEDDING)
    matrices = sum(spec.size for spec in parameters(size.sizes) if spec.role in roles)
    attention = 6.0 * sizes.depth * time_steps * sizes.width
    return float(size.batch_size * time_steps * (6.0 * matrices + attention))


CASES: Mapping[str, Case] = {
    "lm": Case(
        reference=lambda size: ReferenceTransformer(size.sizes),
        batch=tokens,
        unit="tokens",
        flops=transformer_flops,
    ),
    "resnet": Case(reference=lambda size: ReferenceResnet(size.sizes), batch=images, unit="images"),
}


def pass_of(
    model: nn.Module, inputs: Tensor, targets: Tensor, size: SuiteWorkload
) -> Callable[[], None]:
    """One forward and backward pass, finished when it returns."""
    device = inputs.device
    loss = mean_loss(model, loss_of("cross_entropy"), size.precision, device)
    if size.compile and device.type == "cuda":
        loss = torch.compile(loss)

    def run() -> None:
        model.zero_grad()
        torch.autograd.backward(loss(inputs, targets))
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return run


def time_calls(run: Callable[[], None], repeats: int) -> float:
    """Seconds of a pass, the fastest of several."""
    seconds = []
    for _ in range(repeats):
        start_s = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start_s)
    return min(seconds)


def rounds_of(
    model: Callable[[], None], reference: Callable[[], None], rounds: int
) -> list[tuple[float, float]]:
    """Seconds of a pass of the model and of the reference, which take turns at being first."""
    time_calls(model, 3), time_calls(reference, 3)
    pairs = []
    for number in range(rounds):
        if number % 2:
            other = time_calls(reference, 3)
            pairs.append((time_calls(model, 3), other))
        else:
            pairs.append((time_calls(model, 3), time_calls(reference, 3)))
    return pairs


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", default="lm", choices=sorted(CASES))
    parser.add_argument("--suite", default="quick")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--peak-tflops", type=float, default=989.0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    case, size = CASES[args.workload], registry.workload(args.workload).at(args.suite)
    device = torch.device(args.device)
    inputs, targets = (part.to(device) for part in case.batch(size))
    package = importlib.import_module(f"workloads.{args.workload}.model_torch")
    models: list[nn.Module] = [package.build(size.sizes), case.reference(size)]
    counts = [sum(p.numel() for p in model.parameters()) for model in models]
    passes = [pass_of(model.to(device), inputs, targets, size) for model in models]
    pairs = rounds_of(passes[0], passes[1], args.rounds)
    ours_s, other_s = (min(row[place] for row in pairs) for place in (0, 1))
    ratio = statistics.median(other / ours for ours, other in pairs)
    units = targets.numel()
    print(f"{args.workload} on {args.suite}: {counts[0]:,} and {counts[1]:,} parameters")
    print(f"workload   {units / ours_s:12,.0f} {case.unit}/s  {1e3 * ours_s:8.2f} ms")
    print(f"reference  {units / other_s:12,.0f} {case.unit}/s  {1e3 * other_s:8.2f} ms")
    print(f"ratio {ratio:.3f} (wanted: {GOAL:g} or more), median of {args.rounds} rounds")
    if case.flops is not None and device.type == "cuda":
        fraction = case.flops(size) / ours_s / (1e12 * args.peak_tflops)
        goal = f"(wanted: {UTILISATION_GOAL:.0%} or more)"
        print(f"model-FLOPs utilisation {fraction:.1%} of {args.peak_tflops:g} TFLOP/s {goal}")


if __name__ == "__main__":
    main()
