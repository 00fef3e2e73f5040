"""Writes documents of the generated language word by word, with the probability of each word.

A word's probability is that of its slot given the previous slot, times that of the word in its
slot. It depends only on the topic, the words so far and one hidden quantity, the number of
introductions: a name that is introduced a second time looks like a returning one. The probability
is thus conditioned on slightly more than the text shows. More information does not increase the
expected surprise, so the mean surprise is still a lower bound on any model's expected loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from workloads.data.grammar import (
    CLASS_WEIGHTS,
    CLASSES,
    DRAW_BITS,
    DRAWS,
    SLOT_BITS,
    Indices,
    Integers,
    Slot,
    Tables,
    category_of,
    counts,
    inverse,
)

Doubles = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

CHUNK = 2048
"""Documents written at a time; determines the use of raw words, so it must not change."""
CAST_WEIGHTS = (8, 6, 5, 4, 3, 2, 2, 2)
"""Relative frequency of returning names, by order of introduction; a document has at most 8."""
CAST = len(CAST_WEIGHTS)
COIN_BITS = 8
COINS = 2**COIN_BITS
NEW_NAME = np.array((COINS, 96, 64, 48, 32, 24, 16, 8, 0))
"""Chance out of COINS that a mention introduces a name, by the number of names so far."""
HABIT = 160
"""Chance out of COINS that a name's verb is forced to be its first one."""
FACT = 96
"""Chance out of COINS that a noun's verb, or a verb's object, is forced to be the usual one."""

CLASS_CHANCE = counts(np.array(CLASS_WEIGHTS), DRAWS)
CLASS_DRAW = inverse(CLASS_CHANCE[None, :])[0]
SPECIAL = ("determiner", "noun", "verb", "name", "epithet")
KIND = np.array([(*SPECIAL, category_of(slot)).index(category_of(slot)) for slot in Slot])
"""(slots,): the index of the slot's category in SPECIAL, or the length of SPECIAL."""
VERB = SPECIAL.index("verb")


def _cast_chance() -> Indices:
    chance = np.zeros((CAST + 1, CAST), dtype=np.int32)
    # Without any names every mention introduces one, so this row is never used.
    chance[0, 0] = DRAWS
    for size in range(1, CAST + 1):
        chance[size, :size] = counts(np.array(CAST_WEIGHTS[:size]), DRAWS)
    return chance


CAST_CHANCE = _cast_chance()
CAST_DRAW = inverse(CAST_CHANCE)


class Draw(NamedTuple):
    """Random draws for one kind of word, for the documents that write it next."""

    at: Integers
    """Indices of the documents, (n,); all other fields are (n,) too."""
    row: Integers
    """Row of the tables `draw` and `chance`."""
    rank: Integers
    """Rank of the word drawn from that row."""
    coin: Integers
    """Uniform below COINS."""
    pick: Integers
    """Uniform below DRAWS."""


class Writer:
    """The state of CHUNK documents.

    Args:
        tables: the grammar.
        words: raw words that choose the topics, (CHUNK,).
    """

    def __init__(self, tables: Tables, words: Words) -> None:
        self.tables = tables
        self.topic = (_field(words, 0, 32) * tables.topics) >> 32
        """(CHUNK,), as are the following arrays unless noted."""
        self.slot = np.full(CHUNK, Slot.STOP, dtype=np.int64)
        self.phrase_class = np.zeros(CHUNK, dtype=np.int64)
        self.subject_class = np.zeros(CHUNK, dtype=np.int64)
        self.subject_noun = np.zeros(CHUNK, dtype=np.int64)
        self.subject_name = np.full(CHUNK, -1)
        """-1 if the subject is a noun."""
        self.stem = np.zeros(CHUNK, dtype=np.int64)
        self.name = np.zeros(CHUNK, dtype=np.int64)
        self.is_new = np.zeros(CHUNK, dtype=bool)
        """Whether the last word was a name's first mention."""
        self.cast = np.full((CHUNK, CAST), -1)
        self.cast_size = np.zeros(CHUNK, dtype=np.int64)
        """Number of cast members introduced so far."""
        self.epithet_of = np.full((CHUNK, tables.count["name"]), -1)
        self.habit_of = np.full((CHUNK, tables.count["name"]), -1)
        self.write: dict[str, Callable[[Draw], tuple[Integers, Doubles]]] = {
            "determiner": self._determiner,
            "noun": self._noun,
            "verb": self._verb,
            "name": self._name,
            "epithet": self._epithet,
        }

    def step(self, words: Words) -> tuple[Integers, Doubles]:
        """Write the next word of every document.

        Args:
            words: raw words, (CHUNK,).

        Returns:
            The words, numbered as in the grammar, and their probabilities, each (CHUNK,).
        """
        tables = self.tables
        slot_chance = self._walk(_field(words, 0, SLOT_BITS))
        row = tables.slot_row[self.slot] + tables.slot_topical[self.slot] * self.topic
        rank = tables.draw[row, _field(words, 4, DRAW_BITS)].astype(np.int64)
        chance = tables.chance[row, rank] / DRAWS
        coin, pick = _field(words, 18, COIN_BITS), _field(words, 26, DRAW_BITS)
        kind = KIND[self.slot]
        for number, name in enumerate(SPECIAL):
            at = np.flatnonzero(kind == number)
            draw = Draw(at, row[at], rank[at], coin[at], pick[at])
            rank[at], chance[at] = self.write[name](draw)
        agreeing = np.where(kind == VERB, self.subject_class, self.phrase_class)
        classes = tables.slot_classes[self.slot]
        form = np.where(classes > 1, CLASSES * rank + agreeing, rank)
        return tables.slot_first[self.slot] + form, slot_chance * chance

    def _walk(self, picks: Integers) -> Doubles:
        following = self.tables.follow[self.slot, picks].astype(np.int64)
        chance = self.tables.follow_chance[self.slot, following] / 2**SLOT_BITS
        # In the enumeration an epithet's slot comes right after its name's.
        self.slot = np.where(self.is_new, self.slot + 1, following)
        chance = np.where(self.is_new, 1.0, chance)
        self.is_new[:] = False
        return chance

    def _determiner(self, draw: Draw) -> tuple[Integers, Doubles]:
        classes = CLASS_DRAW[draw.pick]
        self._set_class(draw.at, classes)
        return draw.rank, self._chance(draw, draw.rank) * CLASS_CHANCE[classes] / DRAWS

    def _noun(self, draw: Draw) -> tuple[Integers, Doubles]:
        at = draw.at
        fraction = np.where(self.slot[at] == Slot.NOUN_O, FACT, 0)
        rank, chance = self._mix(draw, self.tables.usual_object[self.stem[at]], fraction)
        is_subject = self.slot[at] == Slot.NOUN_S
        subject = at[is_subject]
        self.subject_noun[subject] = CLASSES * rank[is_subject] + self.phrase_class[subject]
        self.subject_name[subject] = -1
        return rank, chance

    def _verb(self, draw: Draw) -> tuple[Integers, Doubles]:
        at = draw.at
        name, usual = self.subject_name[at], self.tables.usual_verb[self.subject_noun[at]]
        habit = self.habit_of[at, name]
        is_named = name >= 0
        is_first = is_named & (habit < 0)
        fraction = np.where(is_named, np.where(is_first, 0, HABIT), FACT)
        rank, chance = self._mix(draw, np.where(is_named, habit, usual), fraction)
        self.habit_of[at[is_first], name[is_first]] = rank[is_first]
        self.stem[at] = rank
        return rank, chance

    def _name(self, draw: Draw) -> tuple[Integers, Doubles]:
        at, size = draw.at, self.cast_size[draw.at]
        is_new = draw.coin < NEW_NAME[size]
        name = np.where(is_new, draw.rank, self.cast[at, CAST_DRAW[size, draw.pick]])
        fraction = NEW_NAME[size] / COINS
        # A name may be introduced twice, so the chance of its return sums over all its entries.
        back = np.where(self.cast[at] == name[:, None], CAST_CHANCE[size], 0).sum(axis=1) / DRAWS
        self.cast[at[is_new], size[is_new]] = name[is_new]
        self.cast_size[at] += is_new
        self.name[at] = name
        epithet = self.epithet_of[at, name]
        self.is_new[at] = epithet < 0
        is_subject = self.slot[at] == Slot.NAME_S
        self.subject_name[at[is_subject]] = name[is_subject]
        self._set_class(at, epithet % CLASSES)
        return name, fraction * self._chance(draw, name) + (1 - fraction) * back

    def _epithet(self, draw: Draw) -> tuple[Integers, Doubles]:
        at, name = draw.at, self.name[draw.at]
        before = self.epithet_of[at, name]
        fresh = CLASSES * draw.rank + draw.pick % CLASSES
        epithet = np.where(before < 0, fresh, before)
        self.epithet_of[at, name] = epithet
        self._set_class(at, epithet % CLASSES)
        chance = np.where(before < 0, self._chance(draw, draw.rank) / CLASSES, 1.0)
        return epithet // CLASSES, chance

    def _set_class(self, at: Integers, classes: Integers | Indices) -> None:
        """Set the class of a phrase, and of the subject if it is the subject phrase."""
        self.phrase_class[at] = classes
        subject = at[self.slot[at] <= Slot.EPITHET_S]
        self.subject_class[subject] = self.phrase_class[subject]

    def _mix(
        self, draw: Draw, usual: Integers | Indices, fraction: Integers
    ) -> tuple[Integers, Doubles]:
        """The usual word with chance fraction / COINS, else the drawn one; and its probability."""
        rank = np.where(draw.coin < fraction, usual, draw.rank)
        sure = fraction / COINS
        return rank, sure * (rank == usual) + (1 - sure) * self._chance(draw, rank)

    def _chance(self, draw: Draw, rank: Integers) -> Doubles:
        chance: Doubles = self.tables.chance[draw.row, rank] / DRAWS
        return chance


def _field(words: Words, start: int, bits: int) -> Integers:
    """`bits` bits of each word, after the `start` highest bits."""
    field = words >> np.uint64(64 - start - bits)
    return (field & np.uint64(2**bits - 1)).astype(np.int64)
