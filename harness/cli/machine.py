"""What the commands that run trials share: the machine's devices and threads, checked names."""

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
    """A flag's value as one of the names that are known.

    Raises:
        UnknownNameError: it is none of them; the message names the nearest.
    """
    for name in names:
        if name == value:
            return name
    raise UnknownNameError(kind, value, names)


@contextmanager
def interruptible(store: Path) -> Iterator[None]:
    """Turn Ctrl-C into a message that says how to go on, and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        remark = (
            f"finished trials are kept in {store}" if store.exists() else "nothing has trained yet"
        )
        say(f"\ninterrupted; {remark}\n  the same command goes on with what is missing", err=True)
        raise typer.Exit(130) from None


def say_on(console: PlainConsole) -> Callable[[str], None]:
    """A function that prints lines as they are."""

    def say(line: str) -> None:
        for part in line.split("\n"):
            console.print(part, soft_wrap=True)

    return say


def has_gpu() -> bool:
    """Whether the machine shows an NVIDIA device; asked without loading a framework."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def choose_device(
    name: str | None, hardware: Hardware, label: str, *, is_elsewhere: bool = False
) -> tuple[str, str]:
    """The device to run on, and a remark if it is not the one that budgets are meant for.

    Args:
        name: `cpu`, `cuda`, `cuda:N`, or None for that of the hardware where there is one.
        hardware: what the budgets are meant for.
        label: whose budgets they are, in words.
        is_elsewhere: whether trials run on other machines, which are taken to have that hardware.
    """
    target = hardware.device
    if name is not None and name not in ("cpu", "cuda") and not _is_numbered(name):
        raise UnknownNameError("device", name, ["cpu", "cuda", "cuda:0"])
    device = name or (target if target == "cpu" or is_elsewhere or has_gpu() else "cpu")
    device = "cuda:0" if device == "cuda" else device
    if device.partition(":")[0] == target:
        return device, ""
    why = f"{label} is meant for {hardware.name}"
    return device, f"{why}; on {device} times are not comparable with its leaderboard"


def _is_numbered(device: str) -> bool:
    kind, _, number = device.partition(":")
    return kind == "cuda" and number.isdecimal()


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
        sandbox: the name of what confines a worker.
        data_dir: where downloaded data lie, or None for the default place.
        threads: CPU threads an operation of one device may use, or None for what the suite's
            hardware has.
        cores: the suite's cores.
        devices: how many train together, and divide these cores.
        is_elsewhere: whether they run on other machines, which have their own number of cores.
    """
    from harness.execution.base import RunOptions
    from harness.providers.table import SANDBOXES

    SANDBOXES.entry(sandbox)
    if data_dir is not None and not data_dir.is_dir():
        raise HarnessError(
            f"--data-dir {data_dir} is no folder",
            "harness data prepare --help says how to fill one",
        )
    if threads is not None and threads < 1:
        raise HarnessError(f"--threads {threads} must be at least 1")
    all_cores = cores if is_elsewhere else min(cores, len(allowed_cores()))
    count = threads or max(1, all_cores // max(1, devices))
    return RunOptions(sandbox=sandbox, data_dir=data_dir, cache_dir=None, threads=count)
