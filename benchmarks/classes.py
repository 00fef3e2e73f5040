"""Which optimizer classes of well-known packages run by import path, and why others do not.

    python benchmarks/classes.py              # prints the table of docs/CLASSES.md
    python benchmarks/classes.py --write      # writes it
    python benchmarks/classes.py --write --only heavyball

Each class makes its first steps on the model of `mlp`, as `harness run --submission module:Class`
has it do before any trial is planned; one that wraps another optimizer is tried around SGD.
Of packages that are not asked for, or not installed, the page keeps what it has.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import NamedTuple

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.execution.rehearsal import rehearse
from harness.execution.resolved import resolve_trial
from harness.plan.plan import PlanRequest, plan
from harness.submission.reference import Scalar

PAGE = Path(__file__).parents[1] / "docs" / "CLASSES.md"
HEAD = """\
# Optimizer classes by import path
`harness run --submission module:Class` on `mlp`, in the versions named; made by
`python benchmarks/classes.py --write`. A class *runs* if it makes its first steps; others are
refused before any trial is planned, with the reason. A refused one may still be used by a `build`
of a few lines ([Writing a submission](SUBMISSIONS.md)).
"""
LONGEST_REASON = 110
WRAPS = re.compile(r"wraps another optimizer, its (\w+)")
BASE = "torch.optim:SGD"
"""What a class that wraps another is tried around."""


class Package(NamedTuple):
    """One package, and which of its names are optimizers."""

    module: str
    framework: str
    is_optimizer: Callable[[str, object], bool]
    tried_as: str = ""
    """A module that stands for it here, if one does."""


class Row(NamedTuple):
    """What came of one class."""

    location: str
    runs: bool
    reason: str = ""
    wraps: str = ""
    """The argument by which it is given another optimizer."""


def is_torch_class(name: str, value: object) -> bool:
    """Whether a name is that of a class that steps."""
    from torch.optim import Optimizer

    is_kind = inspect.isclass(value) and issubclass(value, Optimizer)
    return is_kind and value is not Optimizer and not name.startswith(("_", "Base"))


def is_optax_function(name: str, value: object) -> bool:
    """Whether a name is that of a function that makes a whole optimizer."""
    if not inspect.isfunction(value) or name.startswith("_"):
        return False
    with suppress(ValueError):
        return "learning_rate" in inspect.signature(value).parameters
    return False


PACKAGES = (
    Package("torch.optim", "torch", is_torch_class),
    Package("pytorch_optimizer", "torch", is_torch_class),
    Package("heavyball", "torch", is_torch_class, tried_as="heavyball_uncompiled"),
    Package("schedulefree", "torch", is_torch_class),
    Package("prodigyopt", "torch", is_torch_class),
    Package("dadaptation", "torch", is_torch_class),
    Package("lion_pytorch", "torch", is_torch_class),
    Package("optimi", "torch", is_torch_class),
    Package("optax", "jax", is_optax_function),
    Package("optax.contrib", "jax", is_optax_function),
)


def names_of(package: Package) -> list[str]:
    """The optimizers of a package, one name for each.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    names: dict[int, str] = {}
    for name, value in sorted(vars(importlib.import_module(package.module)).items()):
        if package.is_optimizer(name, value):
            names.setdefault(id(value), name)
    return sorted(names.values())


def row_of(package: Package, name: str, options: RunOptions, wraps: str = "") -> Row:
    """Let a class make its first steps, around another optimizer if it is given one."""
    location = f"{package.tried_as or package.module}:{name}"
    settings: dict[str, Scalar] = {wraps: BASE} if wraps else {}
    request = PlanRequest(
        "mlp", location, framework=package.framework, ruleset="self", settings=settings
    )
    try:
        rehearse(resolve_trial(plan(request).trials[0], options), options)
    except HarnessError as error:
        if not wraps and (argument := WRAPS.search(error.message)):
            return row_of(package, name, options, argument[1])
        return Row(location, runs=False, reason=shorten(error.message), wraps=wraps)
    return Row(location, runs=True, wraps=wraps)


def shorten(message: str) -> str:
    """The reason alone, in one line."""
    reason = re.sub(r"^.*? cannot train mlp \(\w+\) at .*?: ", "", message)
    reason = re.sub(r" \([^()]*\.py:\d+ in [\s\S]*$", "", reason)
    line = " ".join(reason.split()).replace("|", "\\|")
    return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 3]}..."


def rows(only: Collection[str], options: RunOptions) -> Iterator[tuple[Package, list[Row]]]:
    """The rows of each package that is installed."""
    for package in PACKAGES:
        if package.module not in only:
            continue
        try:
            names = names_of(package)
        except ModuleNotFoundError:
            print(f"{package.module} is not installed: left out", file=sys.stderr)
            continue
        yield package, [row_of(package, name, options) for name in names]


def text_of(package: Package, class_rows: list[Row]) -> str:
    """One package's part of the page."""
    top = package.module.partition(".")[0]
    (name, *_) = packages_distributions().get(top, [top])
    own = f"{name} {version(name)}"
    how = f" Tried as benchmarks/{package.tried_as}.py." if package.tried_as else ""
    running = [row.location.partition(":")[2] for row in class_rows if row.runs]
    lines = [
        f"\n## {package.module}: {len(running)} of {len(class_rows)} run",
        f"Version: {own}. Run: {', '.join(f'`{name}`' for name in running) or 'none'}.{how}",
    ]
    for argument in sorted({row.wraps for row in class_rows if row.wraps}):
        around = [row.location.partition(":")[2] for row in class_rows if row.wraps == argument]
        lines.append(
            f"Tried with `--set {argument}={BASE}`: {', '.join(f'`{name}`' for name in around)}."
        )
    refusals = [row for row in class_rows if not row.runs]
    if refusals:
        lines += ["", "| refused | why |", "|---|---|"]
        lines += [f"| `{row.location.partition(':')[2]}` | {row.reason} |" for row in refusals]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    modules = [package.module for package in PACKAGES]
    parser.add_argument("--only", metavar="MODULE", choices=modules, nargs="+", default=modules)
    parser.add_argument("--write", action="store_true", help="write docs/CLASSES.md")
    arguments = parser.parse_args()
    options = RunOptions(threads=1)
    parts = parts_of(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    for package, class_rows in rows(arguments.only, options):
        parts[package.module] = text_of(package, class_rows)
        print(parts[package.module], flush=True)
        if arguments.write:
            documented = [parts[module] for module in modules if module in parts]
            PAGE.write_text("".join([HEAD, *documented]), encoding="utf-8")


def parts_of(page: str) -> dict[str, str]:
    """The parts of a page by module."""
    parts = re.split(r"^(?=\n## )", page, flags=re.MULTILINE)
    return {match[1]: part for part in parts if (match := re.match(r"\n## ([\w.]+):", part))}


if __name__ == "__main__":
    main()
