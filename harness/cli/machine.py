"""Shared by commands that run trials: the machine's devices and threads, checked names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from harness.cli.say import say
from harness.core.errors import HarnessError, UnknownNameError
from harness.machine.cores import allowed_cores

if TYPE_CHECKING:
    from harness.core.console import PlainConsole
    from harness.execution.base import RunOptions
    from workloads.spec import Hardware

NameT = TypeVar("NameT", bound=str)


def pick(kind: str, value: str, names: tuple[NameT, ...]) -> NameT:
    """Check that a flag's value is one of some names.

    Raises:
        UnknownNameError: it is not; the message names the most similar one.
    """
    for name in names:
        if name == value:
            return name
    raise UnknownNameError(kind, value, names)


@contextmanager
def interruptible(store: Path) -> Iterator[None]:
    """Turn Ctrl-C into a message that says how to continue, and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        remark = (
            f"finished trials are kept in {store}" if store.exists() else "nothing has trained yet"
        )
        say(f"\ninterrupted; {remark}\n  the same command goes on with what is missing", err=True)
        raise typer.Exit(130) from None


def say_on(console: PlainConsole) -> Callable[[str], None]:
    """A function that prints lines to a console unchanged."""

    def say(line: str) -> None:
        for part in line.split("\n"):
            console.print(part, soft_wrap=True)

    return say


def has_gpu() -> bool:
    """Whether the machine has an NVIDIA device; detected without loading a framework."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def choose_device(
    name: str | None, hardware: Hardware, label: str, *, is_elsewhere: bool = False
) -> tuple[str, str]:
    """The device to run on, and a remark if budgets are declared for another one.

    Args:
        name: `cpu`, `cuda`, `cuda:N`, or None for the hardware's device if the machine has it.
        hardware: the hardware that budgets are declared for.
        label: the workload or suite of these budgets, in words.
        is_elsewhere: whether trials run on other machines, which are assumed to have that hardware.
    """
    target = hardware.device
    if name is not None and name not in ("cpu", "cuda") and not _is_numbered(name):
        guess = "cuda" if "gpu" in name.lower() else None  # which is spelled more like cpu
        raise UnknownNameError("device", name, ["cpu", "cuda", "cuda:0"], guess=guess)
    device = name or (target if target == "cpu" or is_elsewhere or has_gpu() else "cpu")
    device = "cuda:0" if device == "cuda" else device
    if device.partition(":")[0] == target:
        return device, ""
    why = f"{label} is meant for {hardware.name}"
    return device, f"{why}; on {device} times are not comparable with its leaderboard"


def _is_numbered(device: str) -> bool:
    kind, _, number = device.partition(":")
    return kind == "cuda" and number.isdecimal()


def suite_cores(name: str, threads: int | None) -> int:
    """The number of CPU cores of a suite's hardware, which --threads makes unnecessary.

    Raises:
        HarnessError: there is no --threads, and the suite is not known; it may have been a file.
    """
    from harness.providers.registry import suite

    if threads is not None:
        return threads
    try:
        return suite(name).hardware.cores
    except UnknownNameError as error:
        raise HarnessError(
            error.message, "if it was given as a file, say how many threads to use: --threads N"
        ) from error


def run_options(
    sandbox: str,
    data_dir: Path | None,
    threads: int | None,
    cores: int,
    *,
    devices: int = 1,
    is_elsewhere: bool = False,
) -> RunOptions:
    """The options of trials.

    Args:
        sandbox: the name of the workers' sandbox.
        data_dir: the folder of downloaded data, or None for the default one.
        threads: CPU threads that an operation of one device may use, or None for the number of the
            suite's hardware.
        cores: the number of CPU cores of the suite's hardware.
        devices: the number of training devices, which share these cores.
        is_elsewhere: whether trials run on other machines, with their own number of cores.
    """
    from harness.execution.base import RunOptions
    from harness.providers.table import SANDBOXES

    SANDBOXES.entry(sandbox)
    if data_dir is not None and not data_dir.is_dir():
        raise HarnessError(
            f"--data-dir {data_dir} is not a folder",
            "harness data prepare --help says how to fill one",
        )
    if threads is not None and threads < 1:
        raise HarnessError(f"--threads {threads} must be at least 1")
    all_cores = cores if is_elsewhere else min(cores, len(allowed_cores()))
    count = threads or max(1, all_cores // max(1, devices))
    return RunOptions(sandbox=sandbox, data_dir=data_dir, cache_dir=None, threads=count)
