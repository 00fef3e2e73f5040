"""The published grammar of the generated language: slots, vocabulary, and integer tables.

A sentence is a walk over slots. Every slot emits one word of its category, so the walk can be read
off the words. The categories partition the vocabulary; within one, the word of rank k, from 1, has
weight k^(-5/4), times TOPIC_BOOST if the word belongs to the document's topic.

Every distribution is a row of 2^DRAW_BITS entries, so a probability is a count over 2^DRAW_BITS and
sampling is one table look-up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, auto
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.core.seeds import philox

Indices = npt.NDArray[np.int32]
Integers = npt.NDArray[np.int64]

DRAW_BITS = 14
DRAWS = 2**DRAW_BITS
CLASSES = 4
"""Nouns and epithets have one of four classes; determiners and verbs agree with them."""
CLASS_WEIGHTS = (7, 4, 3, 2)
TOPIC_BOOST = 16
WEIGHT_ONE = 2**32
UNIT = 512
"""Vocabulary size to which the category sizes below refer."""


class Slot(IntEnum):
    """A position in a sentence; S, M and O are the subject, modifier and object phrases."""

    STOP = 0
    LINK = auto()
    DETERMINER_S = auto()
    ADJECTIVE_S = auto()
    NOUN_S = auto()
    NAME_S = auto()
    EPITHET_S = auto()
    PREPOSITION = auto()
    DETERMINER_M = auto()
    ADJECTIVE_M = auto()
    NOUN_M = auto()
    NAME_M = auto()
    EPITHET_M = auto()
    VERB = auto()
    ADVERB = auto()
    DETERMINER_O = auto()
    ADJECTIVE_O = auto()
    NOUN_O = auto()
    NAME_O = auto()
    EPITHET_O = auto()


FOLLOWS: dict[Slot, dict[Slot, int]] = {
    Slot.STOP: {Slot.DETERMINER_S: 8, Slot.NAME_S: 8},
    Slot.LINK: {Slot.DETERMINER_S: 8, Slot.NAME_S: 8},
    Slot.DETERMINER_S: {Slot.ADJECTIVE_S: 5, Slot.NOUN_S: 11},
    Slot.ADJECTIVE_S: {Slot.ADJECTIVE_S: 3, Slot.NOUN_S: 13},
    Slot.NOUN_S: {Slot.PREPOSITION: 7, Slot.VERB: 9},
    Slot.NAME_S: {Slot.EPITHET_S: 7, Slot.PREPOSITION: 3, Slot.VERB: 6},
    Slot.EPITHET_S: {Slot.PREPOSITION: 4, Slot.VERB: 12},
    Slot.PREPOSITION: {Slot.DETERMINER_M: 10, Slot.NAME_M: 6},
    Slot.DETERMINER_M: {Slot.ADJECTIVE_M: 4, Slot.NOUN_M: 12},
    Slot.ADJECTIVE_M: {Slot.ADJECTIVE_M: 2, Slot.NOUN_M: 14},
    Slot.NOUN_M: {Slot.PREPOSITION: 3, Slot.VERB: 13},
    Slot.NAME_M: {Slot.EPITHET_M: 7, Slot.VERB: 9},
    Slot.EPITHET_M: {Slot.VERB: 16},
    Slot.VERB: {Slot.DETERMINER_O: 6, Slot.NAME_O: 6, Slot.ADVERB: 3, Slot.STOP: 1},
    Slot.ADVERB: {Slot.DETERMINER_O: 5, Slot.NAME_O: 4, Slot.STOP: 5, Slot.LINK: 2},
    Slot.DETERMINER_O: {Slot.ADJECTIVE_O: 5, Slot.NOUN_O: 11},
    Slot.ADJECTIVE_O: {Slot.ADJECTIVE_O: 2, Slot.NOUN_O: 14},
    Slot.NOUN_O: {Slot.STOP: 12, Slot.LINK: 4},
    Slot.NAME_O: {Slot.EPITHET_O: 7, Slot.STOP: 7, Slot.LINK: 2},
    Slot.EPITHET_O: {Slot.STOP: 12, Slot.LINK: 4},
}
"""Transitions between slots, in sixteenths; an epithet always follows a name's first mention."""
SLOT_BITS = 4


@dataclass(frozen=True)
class Category:
    """A part of the vocabulary."""

    words: int
    """Number of words, out of UNIT."""
    classes: int = 1
    """4 if each class has its own words."""
    is_topical: bool = False
    """Whether the topic favours some of the words."""


CATEGORIES = {
    "stop": Category(2),
    "link": Category(4),
    "preposition": Category(14),
    "determiner": Category(12, classes=CLASSES),
    "adverb": Category(16),
    "adjective": Category(64, is_topical=True),
    "noun": Category(176, classes=CLASSES, is_topical=True),
    "verb": Category(96, classes=CLASSES, is_topical=True),
    "name": Category(96),
    "epithet": Category(32, classes=CLASSES),
}


def category_of(slot: Slot) -> str:
    """The category of the words that a slot emits."""
    return slot.name.partition("_")[0].lower()


class Tables:
    """The grammar's look-up tables for a vocabulary, a number of topics and an instance's facts.

    Words are numbered by category; in one with classes, word k of a class has the number
    `first + CLASSES * k + class`, so that the four forms of a verb stem are adjacent.

    Args:
        vocabulary: vocabulary size, a multiple of UNIT.
        topics: number of topics.
        seed: the instance seed, which determines the facts.
    """

    def __init__(self, vocabulary: int, topics: int, seed: str) -> None:
        self.topics, self._seed = topics, seed
        self.first: dict[str, int] = {}
        self.count: dict[str, int] = {}
        """Number of words of a category per class."""
        start = 0
        for name, category in CATEGORIES.items():
            words = category.words * vocabulary // UNIT
            self.first[name], self.count[name] = start, words // category.classes
            start += words
        self.row: dict[str, int] = {}
        """The first row of a category in `draw`; a topical category has one row per topic."""
        rows = 0
        for name, category in CATEGORIES.items():
            self.row[name] = rows
            rows += topics if category.is_topical else 1

    @cached_property
    def chance(self) -> Indices:
        """(rows, most words): the probability of the word of each rank, in units of 1 / DRAWS."""
        rows = list(self._rows())
        chance = np.zeros((len(rows), max(len(row) for row in rows)), dtype=np.int32)
        for place, row in zip(chance, rows, strict=True):
            place[: len(row)] = row
        return chance

    @cached_property
    def draw(self) -> Indices:
        """(rows, DRAWS): the rank of the word drawn by a uniform integer."""
        return np.stack(
            [np.repeat(np.arange(len(row), dtype=np.int32), row) for row in self.chance]
        )

    @cached_property
    def follow_chance(self) -> Indices:
        """(slots, slots): transition probabilities, in sixteenths."""
        chance = np.zeros((len(Slot), len(Slot)), dtype=np.int32)
        for slot, following in FOLLOWS.items():
            for after, fraction in following.items():
                chance[slot, after] = fraction
        return chance

    @cached_property
    def follow(self) -> Indices:
        """(slots, 2^SLOT_BITS): the next slot drawn by a uniform integer."""
        return inverse(self.follow_chance)

    @cached_property
    def slot_row(self) -> Integers:
        """(slots,): the first row of the slot's category."""
        return np.array([self.row[category_of(slot)] for slot in Slot], dtype=np.int64)

    @cached_property
    def slot_topical(self) -> Integers:
        """(slots,): 1 if the row depends on the topic."""
        return np.array([CATEGORIES[category_of(slot)].is_topical for slot in Slot], dtype=np.int64)

    @cached_property
    def slot_first(self) -> Integers:
        """(slots,): the first word of the slot's category."""
        return np.array([self.first[category_of(slot)] for slot in Slot], dtype=np.int64)

    @cached_property
    def slot_classes(self) -> Integers:
        """(slots,): the number of classes of the slot's category."""
        return np.array([CATEGORIES[category_of(slot)].classes for slot in Slot], dtype=np.int64)

    @cached_property
    def usual_verb(self) -> Indices:
        """(CLASSES * nouns,): a noun's usual verb stem, by CLASSES * rank + class."""
        return self._facts("verb", CLASSES * self.count["noun"])

    @cached_property
    def usual_object(self) -> Indices:
        """(stems,): the rank of a verb's usual object noun."""
        return self._facts("noun", self.count["verb"])

    def _facts(self, about: str, size: int) -> Indices:
        words = philox(self._seed, f"usual-{about}").random_raw(size)
        return (words % np.uint64(self.count[about])).astype(np.int32)

    def _rows(self) -> Iterator[Indices]:
        for name, category in CATEGORIES.items():
            ranks = np.arange(self.count[name])
            weights = zipf(len(ranks))
            for topic in range(self.topics if category.is_topical else 1):
                own = category.is_topical & (ranks % self.topics == topic)
                yield counts(np.where(own, TOPIC_BOOST * weights, weights), DRAWS)


def zipf(words: int) -> Integers:
    """(words,): WEIGHT_ONE k^(-5/4) for k from 1, in integers."""
    # The fourth root of k^5 * 2^32, which is scaled by 2^8.
    roots = [math.isqrt(math.isqrt(rank**5 << 32)) for rank in range(1, words + 1)]
    return WEIGHT_ONE // np.array(roots, dtype=np.int64)


def inverse(fractions: Indices) -> Indices:
    """(rows, total): the index into a row of `fractions` for each integer below the row's sum."""
    places = np.arange(fractions.shape[1], dtype=np.int32)
    return np.stack([np.repeat(places, row) for row in fractions])


def counts(weights: Integers, total: int) -> Indices:
    """Integers approximately proportional to the weights, each at least 1, that sum to `total`."""
    fractions = 1 + weights * (total - len(weights)) // weights.sum()
    fractions[np.argmax(fractions)] += total - fractions.sum()
    return np.asarray(fractions, dtype=np.int32)
