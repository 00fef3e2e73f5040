"""Serialises a worker's state as text and raw tensors, without pickles or code.

    node    = ["v", null | true | 1 | "text"]   ["f", "0x1.8p+1"]   ["l", [node, ...]]
              ["t", [node, ...]]   ["d", [[node, node], ...]]   ["a", number, mark, dtype, shape]

Arrays become tensors `state/NUMBER`; one that occurs twice is sent once. A dtype that the wire does
not support is sent as bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeAlias, cast

import numpy as np

from harness.protocol.wire import DTYPES, STATE_PREFIX, Tensors
from harness.submission.state import ArrayT, HostArray, StateTree

MAX_DEPTH = 60
Host = tuple[HostArray, str]
"""A numpy array, and a mark of the framework, such as the original dtype."""
ToHost = Callable[[object], Host | None]
FromHost = Callable[[HostArray, str], ArrayT | HostArray | np.generic]
Node: TypeAlias = "Sequence[Node] | bool | int | str | None"
"""A value that is written as JSON."""


class StateError(Exception):
    """A state that cannot be stored; the message says why."""


class Flattener:
    """Converts nested mappings, lists, numbers and arrays into text and tensors.

    Args:
        to_host: converts an array of the framework to numpy; None for other values.
    """

    def __init__(self, to_host: ToHost) -> None:
        self._to_host = to_host
        self._nodes: dict[int, Node] = {}
        # keeps every value alive, so that no other object gets its id
        self._alive: list[object] = []
        self.tensors: dict[str, HostArray] = {}

    def text(self, value: object) -> str:
        """Convert a state into text, and collect its arrays in `tensors`.

        Raises:
            StateError: it has other values, or is too deep.
        """
        return json.dumps(self._node(value, MAX_DEPTH), separators=(",", ":"))

    @property
    def nbytes(self) -> int:
        """The bytes of all tensors."""
        return sum(array.nbytes for array in self.tensors.values())

    def _node(self, value: object, depth: int) -> Node:
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

    def _array(self, value: object) -> Node:
        if id(value) not in self._nodes:
            host = self._to_host(value)
            if host is None:
                raise StateError(f"a state with a {type(value).__name__}, which cannot be saved")
            array, mark = np.ascontiguousarray(host[0]), host[1]
            number, shape = len(self.tensors), list(np.shape(host[0]))
            is_known = array.dtype.name in DTYPES
            data = array if is_known else array.reshape(-1).view(np.uint8)
            self.tensors[f"{STATE_PREFIX}{number}"] = data.reshape(shape) if is_known else data
            self._alive.append(value)
            self._nodes[id(value)] = ["a", number, mark, array.dtype.name, shape]
        return self._nodes[id(value)]


def unflatten(text: str, tensors: Tensors, from_host: FromHost[ArrayT]) -> StateTree[ArrayT]:
    """Restore a state from the text and tensors of a `Flattener`.

    Args:
        text: the JSON in which arrays are replaced by their numbers.
        tensors: the arrays, each named `STATE_PREFIX` and its number.
        from_host: converts a numpy array with its mark to a new array of the framework.

    Raises:
        StateError: they are invalid.
    """
    try:
        return _Reader(tensors, from_host).value(json.loads(text))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise StateError(f"not a state: {error}") from error


class _Reader(Generic[ArrayT]):
    """Converts nodes back into values."""

    def __init__(self, tensors: Tensors, from_host: FromHost[ArrayT]) -> None:
        self._tensors, self._from_host = tensors, from_host

    def value(self, node: object) -> StateTree[ArrayT]:
        """The value of one node."""
        match node:
            case ["v", None | bool() | int() | str() as plain]:
                return plain
            case ["f", str(digits)]:
                return float.fromhex(digits)
            case ["a", int(number), str(mark), str(dtype), [*shape]]:
                return self._from_host(self._array(number, dtype, shape), mark)
            case ["l", [*parts]]:
                return [self.value(part) for part in parts]
            case ["t", [*parts]]:
                return tuple(self.value(part) for part in parts)
            case ["d", [*pairs]]:
                mapping = dict(self._pair(pair) for pair in pairs)
                return cast("Mapping[str, StateTree[ArrayT]]", mapping)  # or of whole numbers
        raise ValueError(f"no node: {str(node)[:80]}")

    def _pair(self, node: object) -> tuple[StateTree[ArrayT], StateTree[ArrayT]]:
        match node:
            case [key, value]:
                return self.value(key), self.value(value)
        raise ValueError(f"no pair: {str(node)[:80]}")

    def _array(self, number: int, dtype: str, shape: Sequence[object]) -> HostArray:
        array: HostArray = self._tensors[f"{STATE_PREFIX}{number}"]
        if array.dtype.name != dtype:
            array = array.view(np.dtype(dtype))
        return array.reshape(cast("Sequence[int]", shape))  # numpy checks that
