"""The machine's factor: its yardstick over a suite's reference, which scales the suite's budgets.

It is measured once a machine, so that a repeated command plans the same trials, and recorded in
each trial's budget. Within a fifth of the reference it is 1: that is the same class of machine.
"""

from __future__ import annotations

import json
from pathlib import Path

from harness.cores import allowed_cores
from harness.errors import CannotWriteError, HarnessError
from harness.files import write_whole
from harness.hardware import fingerprint
from harness.yardstick import VERSION, processor_s
from workloads.data.paths import default_cache_dir
from workloads.spec import Suite

SAME_CLASS = 1.25
LARGEST = 20.0
ROUNDS = 20


def machine_factor(suite: Suite, device: str, *, anew: bool = False) -> float:
    """The factor on the suite's budgets here; 1 for a suite or a device without a reference.

    Args:
        suite: its hardware holds the reference.
        device: what the trials run on.
        anew: measure even if the machine's time is known.

    Raises:
        HarnessError: the machine is more than twenty times slower than the reference.
    """
    reference = suite.hardware.yardstick_s
    if reference is None or suite.hardware.device != "cpu" or device != "cpu":
        return 1.0
    factor = machine_s(suite.hardware.cores, anew=anew) / reference
    if 1.0 / SAME_CLASS <= factor <= SAME_CLASS:
        return 1.0
    if not 1.0 / LARGEST <= factor <= LARGEST:
        raise HarnessError(
            f"this machine's factor is {factor:.2g}; suite {suite.name} allows up to {LARGEST:g}",
            "measure it again on an idle machine: harness doctor --measure",
        )
    return float(f"{factor:.2g}")


def machine_s(threads: int, *, anew: bool = False) -> float:
    """This machine's yardstick at its best, in seconds, measured once and then remembered."""
    path = default_cache_dir() / "yardstick.json"
    key = f"{fingerprint('cpu')}-{threads}-{VERSION}"
    known = _read(path)
    if anew or key not in known:
        known[key] = processor_s(min(threads, len(allowed_cores())), ROUNDS)
        _write(path, known)
    return known[key]


def _read(path: Path) -> dict[str, float]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {k: float(v) for k, v in found.items() if isinstance(v, float) and v > 0.0}


def _write(path: Path, known: dict[str, float]) -> None:
    try:
        write_whole(path, json.dumps(known, indent=1) + "\n")
    except CannotWriteError as error:
        raise HarnessError(
            error.message,
            "free some space there, or set XDG_CACHE_HOME to a folder that can be written",
        ) from error
