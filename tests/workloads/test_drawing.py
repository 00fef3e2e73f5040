"""Drawn architectures: many a workload, each within its bounds, each from its name alone."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from harness.core.errors import HarnessError
from harness.core.seeds import derive
from harness.providers import registry
from workloads.drawing import Constraint, Cost, Grammar, draw, drawn_model_name, merge
from workloads.spec import Sizes

WORKLOADS = ("mlp", "resnet", "lm", "rnn")
PLACES = [
    pytest.param(workload, suite, marks=() if suite == "quick" else pytest.mark.slow)
    for suite in ("quick", "standard", "large")
    for workload in WORKLOADS
]
STARTS = {"init_scale", "last_gain"}
"""Sizes that change where a model starts, and not what it computes."""


def grammar_of(workload: str, suite: str) -> Grammar:
    grammar = registry.workload(workload).at(suite).drawn
    assert grammar is not None
    return grammar


def allowed_sizes(workload: str, suite: str, fixed: dict[str, int], tries: int) -> Iterator[Sizes]:
    """Of models of random choices, some of which are fixed, those that may be drawn."""
    definition, grammar = registry.workload(workload), grammar_of(workload, suite)
    base, rng = definition.at(suite).sizes, random.Random(0)
    constraint = Constraint(base, grammar, definition.cost)
    for _ in range(tries):
        picks = [fixed.get(name, rng.randrange(2**32)) for name in sorted(grammar.choices)]
        if not constraint.violation(sizes := merge(base, grammar, picks)):
            yield sizes


@pytest.mark.parametrize(("workload", "suite"), PLACES)
def test_there_are_at_least_a_thousand_shapes(workload: str, suite: str) -> None:
    """They differ in more than where they start."""
    shapes: set[str] = set()
    for sizes in allowed_sizes(workload, suite, {}, 20_000):
        shapes.add(repr({key: value for key, value in sizes.items() if key not in STARTS}))
        if len(shapes) == 1000:
            return
    pytest.fail(f"only {len(shapes)}")


@pytest.mark.parametrize(("workload", "suite"), PLACES)
def test_every_alternative_can_be_drawn(workload: str, suite: str) -> None:
    for name, alternatives in grammar_of(workload, suite).choices.items():
        for pick, alternative in enumerate(alternatives):
            assert any(allowed_sizes(workload, suite, {name: pick}, 500)), alternative


@pytest.mark.parametrize("workload", WORKLOADS)
def test_what_is_drawn_lies_within_the_bounds(workload: str) -> None:
    definition, grammar = registry.workload(workload), grammar_of(workload, "quick")
    base = definition.cost(definition.at("quick").sizes)
    for seed in range(20):
        own = definition.cost(definition.sizes("quick", drawn_model_name(derive("some", seed))))
        low, high = grammar.parameters
        assert low <= own.parameters / base.parameters <= high
        low, high = grammar.multiplications
        assert low <= own.multiplications / base.multiplications <= high


def test_a_name_is_drawn_the_same_everywhere() -> None:
    sizes = registry.workload("mlp").sizes("quick", "drawn-0123456789abcdef")
    assert {key: sizes[key] for key in DRAWN} == DRAWN


DRAWN: Sizes = {
    "hidden": [192, 192, 192],
    "activation": "relu",
    "norm": "layer",
    "placement": "post",
    "residual": True,
}
"""What records of another machine with this name were trained as."""


def cost_of(sizes: Sizes) -> Cost:
    if sizes["a"] > sizes["b"]:
        raise HarnessError("no such model")
    return Cost(float(sizes["a"]), float(sizes["b"]))


def small_grammar(low: float, high: float) -> Grammar:
    digits = tuple(range(1, 9))
    choices = {name: tuple({name: digit} for digit in digits) for name in ("a", "b")}
    return Grammar(parameters=(low, high), multiplications=(low, high), choices=choices)


def test_all_that_is_allowed_is_drawn_about_equally_often() -> None:
    """Of the digits 1 to 4 there are ten ordered pairs: each 200 times, give or take."""
    grammar = small_grammar(0.5, 2.0)
    counts: dict[tuple[int, int], int] = {}
    for seed in range(2000):
        sizes = draw(drawn_model_name(derive("pairs", seed)), {"a": 2, "b": 2}, grammar, cost_of)
        pair = sizes["a"], sizes["b"]
        counts[pair] = counts.get(pair, 0) + 1
    assert len(counts) == 10
    assert max(abs(count - 200) for count in counts.values()) < 60  # a standard deviation is 13.4


def test_a_grammar_that_allows_nothing_says_why() -> None:
    with pytest.raises(HarnessError, match="none of 10000 drawn architectures"):
        draw("drawn-0123456789abcdef", {"a": 2, "b": 3}, small_grammar(100.0, 200.0), cost_of)


@pytest.mark.parametrize("name", ["drawn-123", "drawn-0123456789ABCDEF", "wide"])
def test_a_name_without_a_seed_is_refused(name: str) -> None:
    with pytest.raises(HarnessError, match="16 hexadecimal digits"):
        draw(name, {"a": 2, "b": 3}, small_grammar(0.5, 2.0), cost_of)
