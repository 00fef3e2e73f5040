"""A worker's whole state as text and raw tensors, and back: no pickle, no code.

    node    = ["v", null | true | 1 | "text"]   ["f", "0x1.8p+1"]   ["l", [node, ...]]
              ["t", [node, ...]]   ["d", [[node, node], ...]]   ["a", number, mark, dtype, shape]

Arrays become tensors `state/NUMBER`; one that occurs twice is sent once. A dtype that the wire does
not know travels as bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.protocol.wire import DTYPES, STATE_PREFIX

MAX_DEPTH = 60
Host = tuple[npt.NDArray[Any], str]
"""An array of numpy's, and a mark of the framework's, such as the dtype that it had."""
ToHost = Callable[[Any], Host | None]
FromHost = Callable[[npt.NDArray[Any], str], Any]


class StateError(Exception):
    """A state that cannot be kept; the message says why."""


class Flattener:
    """Turns nested mappings, lists, numbers and arrays into text and tensors.

    Args:
        to_host: gives an array of the framework's as numpy's; None for what is none.
    """

    def __init__(self, to_host: ToHost) -> None:
        self._to_host = to_host
        self._seen: dict[int, list[Any]] = {}
        # what was seen is kept, lest another object gets its id
        self._alive: list[Any] = []
        self.tensors: dict[str, npt.NDArray[Any]] = {}

    def text(self, value: Any) -> str:
        """The text of a state; its arrays are in `tensors` afterwards.

        Raises:
            StateError: it holds something else, or is too deep.
        """
        return json.dumps(self._node(value, MAX_DEPTH), separators=(",", ":"))

    @property
    def nbytes(self) -> int:
        """The bytes of all tensors."""
        return sum(array.nbytes for array in self.tensors.values())

    def _node(self, value: Any, depth: int) -> list[Any]:
        if depth == 0:
            raise StateError(f"a state of more than {MAX_DEPTH} levels")
        if value is None or isinstance(value, bool | str) or type(value) is int:
            return ["v", value]
        if type(value) is float:
            return ["f", value.hex()]
        if isinstance(value, Mapping):
            pairs = [[self._node(k, 2), self._node(v, depth - 1)] for k, v in value.items()]
            return ["d", pairs]
        if isinstance(value, list | tuple):
            kind = "l" if isinstance(value, list) else "t"
            return [kind, [self._node(part, depth - 1) for part in value]]
        return self._array(value)

    def _array(self, value: Any) -> list[Any]:
        if id(value) not in self._seen:
            host = self._to_host(value)
            if host is None:
                raise StateError(f"a state with a {type(value).__name__}, which cannot be kept")
            array, mark = np.ascontiguousarray(host[0]), host[1]
            number, shape = len(self.tensors), list(np.shape(host[0]))
            is_known = array.dtype.name in DTYPES
            sent = array if is_known else array.reshape(-1).view(np.uint8)
            self.tensors[f"{STATE_PREFIX}{number}"] = sent.reshape(shape) if is_known else sent
            self._alive.append(value)
            self._seen[id(value)] = ["a", number, mark, array.dtype.name, shape]
        return self._seen[id(value)]


def restored(text: str, tensors: Mapping[str, npt.NDArray[Any]], from_host: FromHost) -> Any:
    """The state that a `Flattener` made text and tensors of.

    Args:
        text: its text.
        tensors: its tensors by name.
        from_host: gives an array of numpy's with its mark as the framework's, a copy.

    Raises:
        StateError: they are not such.
    """
    try:
        return _value(json.loads(text), tensors, from_host)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise StateError(f"not a state: {error}") from error


def _value(node: Any, tensors: Mapping[str, npt.NDArray[Any]], from_host: FromHost) -> Any:
    kind, content = node[0], node[1]
    if kind == "v":
        return content
    if kind == "f":
        return float.fromhex(content)
    if kind == "a":
        array = tensors[f"{STATE_PREFIX}{content}"]
        if array.dtype.name != node[3]:
            array = array.view(np.dtype(node[3]))
        return from_host(array.reshape(node[4]), node[2])
    parts = [
        (_value(part[0], tensors, from_host), _value(part[1], tensors, from_host))
        if kind == "d"
        else _value(part, tensors, from_host)
        for part in content
    ]
    made: dict[str, Callable[[Any], Any]] = {"d": dict, "l": list, "t": tuple}
    return made[kind](parts)
