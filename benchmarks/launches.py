"""Count what a step of every algorithm requires of a GPU: operations, and waits for a result.

    python benchmarks/launches.py [--shapes transformer] [--names soap muon] [--steps 24]

No GPU is needed: the tensors are torch's fake ones, which have a shape and no values, on a device
that is not a CPU, so that each submission takes the same branches as on a GPU. It counts the
operations that torch dispatches in a step at the default point, without views: each is one kernel
launch, or a few where a list of tensors is one operation (`_foreach`). A wait is a value that the
host reads, for which it stops queueing until the device is done, or a copy between host and device,
which waits in the same way; every value that is read is 1, so that checks for finite values pass.
It prints the median over the steps and the maximum, which for methods that refresh a basis or a
root is the refresh. Submissions that draw their own batches are left out, because their passes
would be counted too.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from optimizers import SHAPES, BareProblem, built_step
from rich.console import Console
from rich.table import Table
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from harness.core.errors import HarnessError
from harness.providers.registry import submission_folders
from workloads.parameters import Init, ParameterSpec

DEVICE = "counted"
"""The name under which torch's spare device type is set up here."""
READ = "aten._local_scalar_dense"
COPIES = ("aten._to_copy", "aten.copy_")
FREE = ("aten.detach", "aten.alias", "aten.lift_fresh", "aten.empty", "aten.new_empty", "prim.")
"""Besides views, operations that start nothing on a device."""


class Counter(TorchDispatchMode):
    """Counts operations and waits within its context."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations, self.waits = 0, 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        name, is_there = str(func), is_on_device((args, kwargs))
        if name.startswith(READ) and is_there:
            self.waits += 1
            return 1
        is_fused = name.startswith("aten._fused_")  # in place, and unknown to fake tensors
        result = None if is_fused else func(*args, **(kwargs or {}))
        if not (func.is_view or name.startswith(FREE)):
            self.operations += is_there or is_on_device(result)
        self.waits += name.startswith(COPIES) and len(sides_of((args, result))) == 2
        return result


def is_on_device(values: object) -> bool:
    """Whether any tensor in a tree of values is on the device."""
    return True in sides_of(values)


def sides_of(values: object) -> set[bool]:
    """For the tensors in a tree of values, whether they are on the device."""
    tensors = (value for value in tree_leaves(values) if isinstance(value, torch.Tensor))
    return {tensor.device.type == DEVICE for tensor in tensors}


@dataclass(frozen=True)
class Counts:
    """The counts of some steps, in order."""

    operations: tuple[int, ...]
    waits: tuple[int, ...]

    def cells(self) -> list[str]:
        """The texts of a row."""
        return [
            f"{number(values):g}"
            for values in (self.operations, self.waits)
            for number in (statistics.median, max)
        ]


@cache
def set_up_device() -> None:
    """Make the device known to torch; at most once per process."""
    _setup_privateuseone_for_python_backend(DEVICE)


def fake_problem(shapes: str) -> BareProblem:
    """Parameters with gradients on a GPU that need not exist; to be called in a fake mode."""
    parameters, specs = dict[str, torch.Tensor](), dict[str, ParameterSpec]()
    for place, (shape, role) in enumerate(SHAPES[shapes]):
        name = f"p{place}"
        parameters[name] = torch.nn.Parameter(torch.empty(shape, device=DEVICE))
        parameters[name].grad = torch.empty(shape, device=DEVICE)
        specs[name] = ParameterSpec(name, shape, role, shape[-1], shape[0], Init("normal", 0.02))
    return BareProblem(parameters, specs)


def count_launches(name: str, shapes: str, steps: int) -> Counts | None:
    """Count each of a submission's first steps; None if it draws its own batches.

    Raises:
        HarnessError: it needs actual values, for example the number of nonzero entries.
    """
    each = list[Counter]()
    set_up_device()
    with FakeTensorMode(allow_non_fake_inputs=True):
        step = built_step(name, fake_problem(shapes))
        if step is None:
            return None
        for _ in range(steps):
            with Counter() as one:
                try:
                    step()
                except (RuntimeError, ValueError, AssertionError) as error:
                    why = str(error).partition("\n")[0]
                    raise HarnessError(f"{name} cannot be counted: {why}") from error
            each.append(one)
    return Counts(tuple(one.operations for one in each), tuple(one.waits for one in each))


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command's flags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", choices=SHAPES, default="transformer")
    parser.add_argument("--names", nargs="+", default=sorted(submission_folders()))
    parser.add_argument("--steps", type=int, default=24)
    return parser.parse_args(arguments)


def main() -> None:
    """Print a row for each submission when it has been counted."""
    args, console = parse(), Console()
    table = Table("", "operations", "at most", "waits", "at most", title=args.shapes)
    for name in args.names:
        try:
            counts = count_launches(name, args.shapes, args.steps)
        except HarnessError as error:
            table.add_row(name, str(error))
            continue
        if counts is not None:
            table.add_row(name, *counts.cells())
    console.print(table)


if __name__ == "__main__":
    main()
