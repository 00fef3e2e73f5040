"""The cached speeds of this machine: `speed.json` in the cache folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness.core.errors import CannotWriteError, HarnessError
from harness.core.files import write_whole
from harness.core.locks import lock
from harness.plan.trial import MachineSpeed
from workloads.data.paths import default_cache_dir

if TYPE_CHECKING:
    from pathlib import Path


def read_speed(conditions: str) -> MachineSpeed | None:
    """The speed measured under these conditions; None if there is none."""
    try:
        return MachineSpeed.model_validate(_read_all()[conditions])
    except (KeyError, ValidationError):
        return None


def write_speed(speed: MachineSpeed) -> None:
    """Cache a speed under its conditions.

    Raises:
        HarnessError: the file cannot be written.
    """
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("a") as file:
            lock(file)  # another run may add the speed of another workload
            speeds = {**_read_all(), speed.conditions: speed.model_dump()}
            write_whole(path, json.dumps(speeds, indent=1) + "\n")
    except (CannotWriteError, OSError) as error:
        message = (
            error.message if isinstance(error, HarnessError) else f"cannot write {path}: {error}"
        )
        raise HarnessError(
            message,
            "free some space there, or set XDG_CACHE_HOME to a folder that can be written",
        ) from error


def _path() -> Path:
    return default_cache_dir() / "speed.json"


def _read_all() -> dict[str, Any]:
    try:
        speeds = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return speeds if isinstance(speeds, dict) else {}
