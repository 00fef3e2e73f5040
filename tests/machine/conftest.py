"""A machine with GPUs, as far as its driver's library tells of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.machine import nvml

SOURCE = Path(__file__).parent / "made_driver.c"
SetDriver = Callable[..., None]
"""Sets what the driver answers: `gpus=2`, `cuda=12040`, `processes=1` and so on."""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made library, compiled."""
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("no C compiler: the made driver cannot be built")
    path = tmp_path_factory.mktemp("driver") / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", path, SOURCE], check=True)
    return path


@pytest.fixture
def driver(library: Path, monkeypatch: pytest.MonkeyPatch) -> SetDriver:
    """A driver that answers, and a way to have it answer otherwise."""
    monkeypatch.setattr(nvml, "LIBRARY", str(library))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def set_driver(**answers: int) -> None:
        for name, value in answers.items():
            monkeypatch.setenv(f"MADE_{name.upper()}", str(value))

    return set_driver
