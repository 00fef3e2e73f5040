"""A generated language: Zipfian words, a topic per document, and long-range agreement and names.

One document is one sequence. Its words come from the published grammar of `workloads.data.grammar`.
Long-range dependencies are:

- the topic, which favours one in `topics` of the nouns, verbs and adjectives;
- agreement: a noun's class determines the form of its determiner and its verb at any distance;
- the cast: names are introduced at random and recur. A name's first mention draws its epithet, and
  with it its class, and its first verb becomes its habit; later mentions repeat them;
- facts, the same in every document: a noun's usual verb, a verb's usual object.

Every instance uses this language with its own facts and token ids, both drawn from the instance
seed; the ids are a permutation of the vocabulary. Facts are drawn uniformly for all nouns and
verbs, so that instances are equally hard: over eight of them the bound below has a standard
deviation of 0.004 nat.

The probability of every word is known, given the preceding words and the writer's hidden state. The
mean of its negative logarithm is a lower bound on any model's expected loss (`lower_bound`). A
perfect model exceeds it only by the entropy of what the words do not reveal: the topic (at most
log(topics) per document), and which mentions are introductions.

Everything is integer arithmetic and look-ups on raw Philox words: the same bytes on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from harness.core.seeds import philox
from workloads.data.grammar import UNIT, Integers, Tables
from workloads.data.ids import Ids, permute_ids
from workloads.data.writer import CHUNK, Writer
from workloads.spec import Count, Frozen

Doubles = npt.NDArray[np.float64]
Tokens = npt.NDArray[np.uint16]


class LanguageSettings(Frozen):
    """The generator's settings in `workload.toml`; split sizes are in documents."""

    train: Count
    validation: Count
    time: Annotated[int, Field(ge=8, le=4096)] = 128
    """Input tokens per document; the targets are the next tokens."""
    vocabulary: Annotated[int, Field(ge=UNIT, le=8 * UNIT, multiple_of=UNIT)] = UNIT
    topics: Annotated[int, Field(ge=1, le=16)] = 8


class Sample(NamedTuple):
    """Documents, with the surprise of each word given the grammar and the topic."""

    tokens: Tokens
    """(documents, time + 1)"""
    surprise: Doubles
    """(documents, time + 1): negative log-probability of the word given the topic and all preceding
    words, in nats."""
    topics: Integers
    """(documents,)"""


@dataclass(frozen=True)
class Language:
    """One instance's language, from its seed; `sample` writes documents."""

    seed: str
    settings: LanguageSettings

    def sample(self, split: str, documents: int) -> Sample:
        """Write one split; a shorter sample is a prefix of a longer one.

        Args:
            split: name of the random stream.
            documents: number of documents.
        """
        bits = philox(self.seed, f"language-{split}")
        length = self.settings.time + 1
        tokens = np.empty((documents, length), dtype=np.uint16)
        chances = np.empty((documents, length))
        topics = np.empty(documents, dtype=np.int64)
        for start in range(0, documents, CHUNK):
            writer = Writer(self.tables, bits.random_raw(CHUNK))
            part = slice(start, min(start + CHUNK, documents))
            size = part.stop - part.start
            topics[part] = writer.topic[:size]
            for place in range(length):
                word, chance = writer.step(bits.random_raw(CHUNK))
                tokens[part, place] = self.ids[word[:size]]
                chances[part, place] = chance[:size]
        return Sample(tokens, -np.log(chances), topics)

    @cached_property
    def ids(self) -> Ids:
        """(vocabulary,): the token id of each of the grammar's words."""
        return permute_ids(self.seed, self.settings.vocabulary)

    @cached_property
    def tables(self) -> Tables:
        """The grammar's tables at this vocabulary."""
        return Tables(self.settings.vocabulary, self.settings.topics, self.seed)


def lower_bound(sample: Sample) -> float:
    """Mean surprise of the targets, in nats per token: a lower bound on any model's loss."""
    return float(sample.surprise[:, 1:].mean())
