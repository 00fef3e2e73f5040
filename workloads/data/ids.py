"""Token ids: their dtype and their permutation per instance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.seeds import philox

Ids = npt.NDArray[np.unsignedinteger[Any]]


def as_ids(numbers: npt.NDArray[np.integer[Any]], vocabulary: int) -> Ids:
    """Numbers below `vocabulary` as uint16, or as uint32 if it exceeds 65,536."""
    return numbers.astype(id_type(vocabulary))


def id_type(vocabulary: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The dtype of ids below `vocabulary`, little-endian on disk."""
    return np.dtype("<u2") if vocabulary <= 2**16 else np.dtype("<u4")


def permute_ids(seed: str, vocabulary: int) -> Ids:
    """(vocabulary,): the id of each token in the instance of a seed."""
    words = philox(seed, "token-ids").random_raw(vocabulary)
    return as_ids(np.argsort(words, kind="stable"), vocabulary)
