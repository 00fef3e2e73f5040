"""The kinds of parameters that share a norm and a mass, for both frameworks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Hyperparameters
from submissions.common.norms import KERNELS, OF_MATRICES, OF_VECTORS
from workloads.parameters import Role

SIZES = ("dual_norm", "fixed")
KINDS = {
    Role.HIDDEN_MATRIX: "hidden",
    Role.CONVOLUTION: "hidden",
    Role.OUTPUT: "output",
    Role.EMBEDDING: "embedding",
    Role.NORM: "gain",
    Role.BIAS: "vector",
    Role.VECTOR: "vector",
}
"""The kind whose norm a role has."""
SCALES = {"embedding": "embedding_scale", "gain": "vector_scale", "vector": "vector_scale"}
NORM_NAMES = tuple(f"{kind}_norm" for kind in dict.fromkeys(KINDS.values()))


def check(point: Hyperparameters) -> None:
    """Check the names and scales of a point.

    Raises:
        UnknownNameError: a norm, `size` or `kernels` is not one of those allowed.
        HarnessError: a scale is negative.
    """
    allowed_values: dict[str, tuple[str, ...]] = dict.fromkeys(NORM_NAMES, OF_MATRICES)
    allowed_values |= {"gain_norm": OF_VECTORS, "vector_norm": OF_VECTORS}
    for name, values in {"size": SIZES, "kernels": KERNELS, **allowed_values}.items():
        if point[name] not in values:
            raise UnknownNameError(name, str(point[name]), values)
    for name in ("embedding_scale", "vector_scale"):
        if not point[name] >= 0.0:
            raise HarnessError(f"{name} is {point[name]}", "allowed: 0 or above")


def norms(point: Hyperparameters) -> dict[Role, str]:
    """The norm of each role."""
    return {role: str(point[f"{kind}_norm"]) for role, kind in KINDS.items()}


def scales(roles: Sequence[str], point: Hyperparameters) -> dict[Role, float]:
    """1 / s of each role that a model has.

    Args:
        roles: of all parameters, among which masses are divided.
        point: `masses`, `embedding_scale` and `vector_scale`.
    """
    kinds = [KINDS[Role(role)] for role in roles]
    weights = {kind: float(point[SCALES[kind]]) if kind in SCALES else 1.0 for kind in kinds}
    if point["masses"]:
        # gains and other vectors share one mass
        parts = Counter(SCALES.get(kind, kind) for kind in kinds)
        total = sum({SCALES.get(kind, kind): weights[kind] for kind in kinds}.values())
        weights = {k: w / parts[SCALES.get(k, k)] / total for k, w in weights.items()}
    return {Role(role): weights[KINDS[Role(role)]] for role in roles}
