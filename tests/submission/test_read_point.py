"""Which hyperparameters of a point count as read."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

import pytest

from harness.submission.read_point import ReadPoint

POINT = {"learning_rate": 0.1, "momentum": 0.9}
ALL: set[str] = set()
REST = {"momentum"}
READS: dict[str, tuple[Callable[[ReadPoint], object], set[str]]] = {
    "by name": (lambda point: point["learning_rate"], REST),
    "with a default": (lambda point: point.get("learning_rate", 1.0), REST),
    "taken out": (lambda point: point.pop("learning_rate"), REST),
    "one that is not there": (lambda point: point.get("clip", 0.0), set(POINT)),
    "its names": (lambda point: (list(point), sorted(point), "momentum" in point), set(POINT)),
    "as arguments": (lambda point: dict(**point), ALL),
    "as a dictionary": (dict, ALL),
    "unpacked": (lambda point: {**point, "beta": 1.0}, ALL),
    "joined": (lambda point: point | {"beta": 1.0}, ALL),
    "joined to another": (lambda point: {"beta": 1.0} | point, ALL),
    "its items": (lambda point: list(point.items()), ALL),
    "its values": (lambda point: list(point.values()), ALL),
    "a copy": (lambda point: point.copy(), ALL),
    "as JSON": (json.dumps, ALL),
}


@pytest.mark.parametrize(("read", "unread"), READS.values(), ids=READS)
def test_what_is_looked_up_is_read(read: Callable[[ReadPoint], object], unread: set[str]) -> None:
    point = ReadPoint(POINT)
    read(point)
    assert point.unread == unread


@pytest.mark.parametrize("same", [dict, copy.copy, copy.deepcopy, ReadPoint.copy])
def test_it_is_the_point(same: Callable[[ReadPoint], object]) -> None:
    assert same(ReadPoint(POINT)) == POINT == ReadPoint(POINT)
