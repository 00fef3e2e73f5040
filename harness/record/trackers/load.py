"""Validates the trackers named on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from harness.core.errors import HarnessError, UnknownNameError
from harness.providers.table import TRACKERS


def tracker_names(requests: Iterable[str]) -> tuple[str, ...]:
    """The names of trackers without repetitions; a shipped one is named like its package and extra.

    Raises:
        HarnessError: one is unknown, or its package is not installed.
    """
    names = tuple(dict.fromkeys(requests))
    for name in names:
        if name not in TRACKERS.names:
            hint = "TensorBoard's events are always written" if name == "tensorboard" else ""
            raise UnknownNameError(TRACKERS.word, name, TRACKERS.names, hint)
        if name in TRACKERS.shipped_values and find_spec(name) is None:
            raise HarnessError(
                f"--sink {name} needs the package {name}, which is not installed",
                f"pip install 'guided-descent[{name}]'",
            )
    return names
