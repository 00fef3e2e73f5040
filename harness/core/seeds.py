"""Seeds: every random choice of the benchmark comes from a named stream of an instance seed.

    round seed -> instance seed (workload, study, trial) -> stream ("weights", "data", ...)
                                                         -> worker seed -> stream ("order", ...)

The submission never enters, so entries meet the same instances and can be compared in pairs.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

PUBLIC_ROUND_SEED = "guided-descent"
"""The round seed of local runs; official rounds draw a secret one."""


def derive(*parts: str | int) -> str:
    """A 128-bit seed, as 32 hexadecimal digits, of a list of names and numbers."""
    text = "\0".join(str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def commitment(round_seed: str) -> str:
    """The commitment to a round seed that is published before the round: its SHA-256, in
    hexadecimal.

    A secret seed has 256 random bits, so that it cannot be found from its commitment.
    """
    return hashlib.sha256(f"round\0{round_seed}".encode()).hexdigest()


def instance_seed(round_seed: str, suite: str, workload: str, study: int, trial: int) -> str:
    """The seed of one instance; `study` and `trial` count from 1."""
    return derive("instance", round_seed, suite, workload, study, trial)


def worker_seed(instance: str) -> str:
    """The seed that a worker gets, for the data order and the submission's own random choices.

    The instance seed, from which held-out data could be generated, cannot be derived from it.
    """
    return derive("worker", instance)


def branch_seed(worker: str, order: int) -> str:
    """The worker's seed for a branch; `order` counts the instance's example orders from 1."""
    return derive("branch", worker, order)


def philox(seed: str, stream: str) -> np.random.Philox:
    """The bit generator of a named stream; its raw output is the same on every machine."""
    return np.random.Philox(key=int(derive(seed, stream), 16))


def permutation(seed: str, epoch: int, examples: int) -> npt.NDArray[np.int64]:
    """The order of the training examples in an epoch, counted from 0; shape (examples,).

    It sorts raw words of the stream `order-<epoch>`; `seed` is a worker's.
    """
    words = philox(seed, f"order-{epoch}").random_raw(examples)
    return np.argsort(words).astype(np.int64, copy=False)


def integer(seed: str, stream: str) -> int:
    """A 63-bit integer of a named stream, for generators that take one."""
    return int(derive(seed, stream)[:16], 16) >> 1
