"""Token ids: their type, and what an instance calls each of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.seeds import philox

Ids = npt.NDArray[np.unsignedinteger[Any]]


def as_ids(numbers: npt.NDArray[np.integer[Any]], vocabulary: int) -> Ids:
    """Numbers below `vocabulary` as uint16, or as uint32 if it passes 65,536."""
    return numbers.astype(id_type(vocabulary))


def id_type(vocabulary: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The type of ids below `vocabulary`, little-endian on disk."""
    return np.dtype("<u2") if vocabulary <= 2**16 else np.dtype("<u4")


def permuted_ids(seed: str, vocabulary: int) -> Ids:
    """(vocabulary,): what the instance of a seed calls each token."""
    words = philox(seed, "token-ids").random_raw(vocabulary)
    return as_ids(np.argsort(words, kind="stable"), vocabulary)
