"""Drawn architectures: a grammar of many models a workload, and one model drawn from a seed.

A grammar is declared in `workload.toml` as lists of alternatives; each alternative replaces some of
`sizes`, as a held-out variant does. One alternative is drawn from every list, uniformly and
independently, until the workload allows the model and it lies within the grammar's bounds:

    low <= cost(model) / cost(base) <= high

where the cost is the number of parameters (a bound on memory: weights, gradients, the optimizer's
state, snapshots) and the multiplications of a forward pass (a bound on a step's time: a step of
training takes about six floating-point operations for each). A model is named after its seed,
`drawn-` and 16 hexadecimal digits, from which anyone can draw it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, NamedTuple

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.seeds import philox
from workloads.frozen import Frozen, Positive, Sizes

ATTEMPTS = 10_000
NAME = re.compile("drawn-([0-9a-f]{16})")
Bounds = tuple[Positive, Positive]
"""Lowest and highest cost, relative to that of the base."""
Alternatives = Annotated[tuple[Sizes, ...], Field(min_length=1)]


class Grammar(Frozen):
    """The architectures that a workload may have in a scoring round."""

    parameters: Bounds
    multiplications: Bounds
    choices: Annotated[dict[str, Alternatives], Field(min_length=1)]
    """The alternatives of each choice, by its name; an alternative is a part of `sizes`."""


class Cost(NamedTuple):
    """The costs to which the bounds apply."""

    parameters: float
    multiplications: float


CostOf = Callable[[Sizes], Cost]
"""The cost of a model.

Raises:
    HarnessError: the workload has no model of these sizes.
"""


def drawn_model_name(seed: str) -> str:
    """The name of the architecture that a seed of at least 16 hexadecimal digits draws."""
    return f"drawn-{seed[:16]}"


def draw(name: str, base: Sizes, grammar: Grammar, cost_of: CostOf) -> Sizes:
    """The sizes of a drawn architecture, the same in every process.

    Args:
        name: as `drawn_model_name` gives it.
        base: the sizes of the workload.
        grammar: the alternatives and the bounds.
        cost_of: the cost of a model.

    Raises:
        HarnessError: the name is not an architecture's, or the grammar allows almost nothing.
    """
    if (match := NAME.fullmatch(name)) is None:
        raise HarnessError(
            f"'{name}' is not the name of a drawn architecture",
            "allowed: drawn- followed by 16 hexadecimal digits in lower case",
        )
    bits, problem = philox(match[1], "architecture"), ""
    constraint = Constraint(base, grammar, cost_of)
    for _ in range(ATTEMPTS):
        words = bits.random_raw(len(grammar.choices))
        picks = [int(word) for word in words]
        sizes = merge(base, grammar, picks)
        if not (problem := constraint.violation(sizes)):
            return sizes
    raise HarnessError(
        f"none of {ATTEMPTS} drawn architectures is allowed; the last one: {problem}",
        "widen the bounds in [suites.NAME.drawn] of workload.toml, or add alternatives there",
    )


def merge(base: Sizes, grammar: Grammar, picks: list[int]) -> Sizes:
    """The base with one alternative of each choice, whose index is the pick modulo their number."""
    sizes = dict(base)
    for pick, name in zip(picks, sorted(grammar.choices), strict=True):
        alternatives = grammar.choices[name]
        sizes |= alternatives[pick % len(alternatives)]
    return sizes


class Constraint:
    """Which models of a grammar may be drawn.

    Args:
        base: the sizes of the workload.
        grammar: its bounds.
        cost_of: the cost of a model.
    """

    def __init__(self, base: Sizes, grammar: Grammar, cost_of: CostOf) -> None:
        self._cost_of, self._base_cost = cost_of, cost_of(base)
        self._bounds = grammar.parameters, grammar.multiplications

    def violation(self, sizes: Sizes) -> str:
        """Why a model may not be drawn; "" if it may."""
        try:
            cost = self._cost_of(sizes)
        except HarnessError as error:
            return error.message
        for name, own, of_base, (low, high) in zip(
            Cost._fields, cost, self._base_cost, self._bounds, strict=True
        ):
            if not low <= own / of_base <= high:
                return (
                    f"it has {own / of_base:.2f} times the base's {name}; allowed: {low} to {high}"
                )
        return ""
