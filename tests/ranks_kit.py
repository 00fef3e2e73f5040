"""Runs a function on several ranks, each in a fresh process that has computed nothing."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from harness.frameworks.base import Place

T = TypeVar("T")


def on_ranks(function: Callable[[Place], T], world_size: int, folder: Path) -> list[T]:
    """What a function of a module returns on each of so many ranks.

    Args:
        function: is told its place.
        world_size: how many processes there are.
        folder: where they find each other.
    """
    places = [Place(world_size, rank, str(folder / "ranks")) for rank in range(world_size)]
    with ProcessPoolExecutor(world_size, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(function, places))


def on_devices(function: Callable[[Place], T], world_size: int) -> T:
    """What a function of a module returns in one process with so many devices."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(partial(function, Place(world_size))).result()
