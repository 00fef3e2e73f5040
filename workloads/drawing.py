"""Drawn architectures: a grammar of many models a workload, and one model drawn from a seed.

A grammar is declared in `workload.toml`: lists of alternatives, of which each replaces some of
`sizes`, as a held-out variant does. One alternative is drawn from every list, uniformly and
independently, until the model is one that the workload allows and lies within the grammar's bounds:

    low <= cost(model) / cost(base) <= high

where the cost is the number of parameters (a bound on memory: weights, gradients, the optimizer's
state, snapshots) and the multiplications of a forward pass (a bound on a step's time: a step of
training takes about six floating-point operations for each). A model is named after its seed,
`drawn-` and 16 hexadecimal digits, from which anyone draws it again.
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
    """By a name that says what is chosen: the alternatives, each a part of `sizes`."""


class Cost(NamedTuple):
    """What bounds are placed on."""

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
        grammar: what they are varied by.
        cost_of: the cost of a model.

    Raises:
        HarnessError: the name is no architecture's, or next to nothing in the grammar is allowed.
    """
    if (match := NAME.fullmatch(name)) is None:
        raise HarnessError(
            f"'{name}' names no drawn architecture", "drawn- and 16 digits of 0-9a-f"
        )
    bits, problem = philox(match[1], "architecture"), ""
    constraint = Constraint(base, grammar, cost_of)
    for _ in range(ATTEMPTS):
        words = bits.random_raw(len(grammar.choices))
        picks = [int(word) for word in words]
        sizes = merge(base, grammar, picks)
        if not (problem := constraint.violation(sizes)):
            return sizes
    raise HarnessError(f"none of {ATTEMPTS} architectures that were drawn is allowed: {problem}")


def merge(base: Sizes, grammar: Grammar, picks: list[int]) -> Sizes:
    """The base with one alternative of each choice: that of the pick, modulo their number."""
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
                return f"{own / of_base:.2f} times the base's {name}, {low} to {high} are allowed"
        return ""
