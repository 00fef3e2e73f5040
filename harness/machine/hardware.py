"""The hardware and software that a trial ran on."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.core.canonical import sha256_json
from harness.core.content import sha256_content
from harness.core.imports import reachable_files
from harness.core.recorded import Recorded, Whole
from harness.machine import gpus, nvml
from harness.machine.cores import allowed_cores
from harness.machine.variables import kernel_variables

PACKAGES = ("guided-descent", "numpy", "scipy", "torch", "jax", "jaxlib", "optax")
TRIAL_ROOMS = ("execution", "frameworks", "record/sinks", "referee", "sandboxes", "worker")
"""The packages whose code a trial runs; the rest of its code is what these import."""
CUDNN = ("nvidia-cudnn-cu13", "nvidia-cudnn-cu12")


class Graphics(Recorded):
    """The properties of a GPU that affect times; identical GPUs are equal."""

    name: str
    memory_gib: Whole
    power_limit_w: Whole | None
    is_part: bool
    """Whether it is a part of a GPU that is divided (MIG)."""
    driver: str
    cudnn: str | None


class Hardware(Recorded):
    """The properties of the machine that are compared between records."""

    processor: str
    machine: str
    """The architecture."""
    cores: Whole
    """The number that this process may use."""
    memory_gib: Whole
    device: str
    """`cpu` or `cuda`."""
    accelerator: str | None
    """The GPU's name."""
    graphics: Graphics | None = None
    """On CUDA alone."""

    @property
    def fingerprint(self) -> str:
        """A short hash; records of different fingerprints are not scored together."""
        return sha256_json(self.as_json())[:12]


class Environment(Recorded):
    """Software versions, environment variables that affect times, and the harness's hash."""

    python: str
    system: str
    packages: dict[str, str | None]
    """Each one's version; None if it is not installed."""
    variables: dict[str, str]
    harness_hash: str


def hardware(device: str) -> Hardware:
    """This machine: processor, cores allowed, memory, accelerator."""
    graphics = _graphics(device)
    machine = Hardware(
        processor=_processor(),
        machine=platform.machine(),
        cores=len(allowed_cores()),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        device=device.partition(":")[0],
        accelerator=graphics.name if graphics else None,
    )
    return machine.model_copy(update={"graphics": graphics}) if graphics else machine


def fingerprint(device: str) -> str:
    """The short hash of this machine's hardware."""
    return hardware(device).fingerprint


@cache
def environment() -> Environment:
    """The environment of this process."""
    return Environment(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        packages={name: _version(name) for name in PACKAGES},
        variables=kernel_variables(),
        harness_hash=harness_hash(),
    )


@cache
def harness_hash() -> str:
    """The content hash of all harness code that a trial of any workload or submission can run.

    Code that only plans, displays or scores trials is excluded: it cannot change a time, and edits
    to it should not make the records of a growing board incomparable.
    """
    packages = Path(__file__).parents[2]
    return sha256_content(packages, entered_files(packages))


def entered_files(packages: Path) -> set[Path]:
    """The files whose code a trial of any workload or submission can run.

    They are files of the harness and the shared code of `workloads` that these import.

    Args:
        packages: the folder with `harness` and `workloads`.
    """
    root = packages / "harness"
    rooms = (file for room in TRIAL_ROOMS for file in (root / room).rglob("*.py"))
    return reachable_files(packages / "workloads", reachable_files(root, rooms))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _graphics(device: str) -> Graphics | None:
    """The GPU's properties; None on a CPU, and where the driver does not answer."""
    gpu = gpus.find(device) if device.startswith("cuda") else None
    if gpu is None:
        return None
    with nvml.open_library() as library:
        driver = library.driver()
    return Graphics(
        name=gpu.name,
        memory_gib=round(gpu.memory_bytes / 2**30),
        power_limit_w=gpu.power_limit_w,
        is_part=gpu.is_part,
        driver=driver,
        cudnn=next(filter(None, map(_version, CUDNN)), None),
    )
