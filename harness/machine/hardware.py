"""What machine and what software a trial ran on."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.core.canonical import sha256_json
from harness.core.content import sha256_content
from harness.core.recorded import Recorded
from harness.machine.cores import allowed_cores
from harness.machine.variables import kernel_variables

PACKAGES = ("guided-descent", "numpy", "scipy", "torch", "jax", "jaxlib", "optax")


class Hardware(Recorded):
    """The machine as a benchmark sees it."""

    processor: str
    machine: str
    """The architecture."""
    cores: int
    """How many this process may use."""
    memory_gib: int
    device: str
    """`cpu` or `cuda`."""
    accelerator: str | None

    @property
    def fingerprint(self) -> str:
        """A short hash; records of different fingerprints are not scored together."""
        return sha256_json(self.as_json())[:12]


class Environment(Recorded):
    """Versions of what a trial runs on, variables that steer it, and the harness's own hash."""

    python: str
    system: str
    packages: dict[str, str | None]
    """Each one's version; None if it is not installed."""
    variables: dict[str, str]
    harness_hash: str


def hardware(device: str) -> Hardware:
    """This machine: processor, cores allowed, memory, accelerator."""
    return Hardware(
        processor=_processor(),
        machine=platform.machine(),
        cores=len(allowed_cores()),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        device=device.partition(":")[0],
        accelerator=_accelerator() if device.startswith("cuda") else None,
    )


def fingerprint(device: str) -> str:
    """The short hash of this machine's hardware."""
    return hardware(device).fingerprint


@cache
def environment() -> Environment:
    """What a trial runs on here and now."""
    root = Path(__file__).parents[1]
    return Environment(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        packages={name: _version(name) for name in PACKAGES},
        variables=kernel_variables(),
        harness_hash=sha256_content(root, root.rglob("*.py")),
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _accelerator() -> str | None:
    """The name that NVIDIA's driver gives the first visible GPU."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0] or "0"
    for index, folder in enumerate(sorted(Path("/proc/driver/nvidia/gpus").glob("*"))):
        if str(index) == visible:
            lines = (folder / "information").read_text(encoding="utf-8").splitlines()
            return next((li.partition(":")[2].strip() for li in lines if li[:5] == "Model"), None)
    return None
