"""The generated language: the same bytes everywhere, heavy tails, what only a memory predicts."""

import hashlib
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from harness.core.seeds import philox
from workloads.data.grammar import CATEGORIES, CLASSES, FOLLOWS, Slot, Tables, counts
from workloads.data.language import Language, LanguageSettings, Sample, lower_bound
from workloads.data.writer import CHUNK, Writer

SEED = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
SHA256 = "e1c732b43ee320ee29c0829f4e6fdac60ba477cdd79ee0d7d66b3eaaf210800d"
SETTINGS = LanguageSettings(train=1, validation=1)
VOCABULARY = SETTINGS.vocabulary
TABLES = Tables(VOCABULARY, SETTINGS.topics, SEED)


@cache
def sample(seed: str = SEED, split: str = "train", documents: int = 6000) -> Sample:
    return Language(seed, SETTINGS).sample(split, documents)


def words(seed: str = SEED, split: str = "train") -> npt.NDArray[np.int64]:
    """The grammar's words of a sample, before they were renamed."""
    return np.argsort(Language(seed, SETTINGS).ids)[sample(seed, split).tokens]


def is_a(category: str, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    first = TABLES.first[category]
    size = TABLES.count[category] * CATEGORIES[category].classes
    return (tokens >= first) & (tokens < first + size)


def test_the_same_bytes_on_every_machine() -> None:
    example = sample(documents=2500)
    content = example.tokens.astype("<u2").tobytes() + example.topics.astype("<i8").tobytes()
    assert hashlib.sha256(content).hexdigest() == SHA256


def test_a_shorter_sample_begins_a_longer_one() -> None:
    short, long = sample(documents=100), sample(documents=2500)
    assert np.array_equal(short.tokens, long.tokens[:100])
    assert np.array_equal(short.surprise, long.surprise[:100])


def test_seeds_and_splits_differ_and_the_vocabulary_is_kept_to() -> None:
    streams = [sample().tokens, sample(split="validation").tokens, sample(OTHER).tokens]
    assert len({tokens[:50].tobytes() for tokens in streams}) == 3
    assert {int(tokens.max()) for tokens in streams} <= set(range(VOCABULARY))
    assert sorted(Language(OTHER, SETTINGS).ids) == list(range(VOCABULARY))


def test_the_categories_part_the_vocabulary_at_every_size() -> None:
    for vocabulary in (512, 1024, 4096):
        tables = Tables(vocabulary, 8, SEED)
        sizes = [tables.count[name] * part.classes for name, part in CATEGORIES.items()]
        assert sum(sizes) == vocabulary
        assert (tables.chance.sum(axis=1) == 2**14).all()
        assert (tables.chance.min(axis=1) >= 0).all()
    assert all(sum(following.values()) == 16 for following in FOLLOWS.values())


def test_every_instance_has_facts_of_its_own() -> None:
    one, other = (Language(seed, SETTINGS).tables for seed in (SEED, OTHER))
    assert (one.usual_verb != other.usual_verb).mean() > 0.5
    assert (one.usual_object != other.usual_object).mean() > 0.5


def test_counts_follow_the_weights_and_leave_nobody_out() -> None:
    parts = counts(np.array([1000, 100, 1]), 64)
    assert parts.sum() == 64
    assert parts.min() >= 1
    assert parts[0] > parts[1] > parts[2]


@pytest.mark.parametrize("steps", [3, 17, 64])
def test_words_come_as_often_as_they_are_said_to(steps: int) -> None:
    bits = philox(SEED, "probabilities")
    writer = Writer(TABLES, np.full(CHUNK, bits.random_raw(1)[0]))
    for _ in range(steps):
        # The same words for all: the documents stay alike, and any next word is one of CHUNK draws.
        writer.step(np.full(CHUNK, bits.random_raw(1)[0]))
    word, chance = writer.step(bits.random_raw(CHUNK))
    values, first, often = np.unique(word, return_index=True, return_counts=True)
    weights = chance[first]
    assert np.array_equal(chance, weights[np.searchsorted(values, word)])
    assert weights.sum() <= 1 + 1e-12
    assert weights.sum() > 0.9
    expected = CHUNK * weights
    assert (np.abs(often - expected) < 5 * np.sqrt(expected) + 5).all()


def test_frequencies_are_heavy_tailed() -> None:
    often = np.sort(np.bincount(sample().tokens.ravel(), minlength=VOCABULARY))[::-1]
    assert often.min() > 0
    assert often[:10].sum() > 0.3 * often.sum()
    assert often[0] > 1000 * often[-10:].mean()
    ranks = np.arange(10, 400)
    slope = np.polyfit(np.log(ranks), np.log(often[ranks]), 1)[0]
    assert -2.0 < slope < -1.0


def test_a_topic_lasts_for_its_document() -> None:
    tokens, topics = words(), sample().topics
    half = tokens.shape[1] // 2
    for part in (tokens[:, :half], tokens[:, half:]):
        nouns = is_a("noun", part)
        about = ((part - TABLES.first["noun"]) // CLASSES) % SETTINGS.topics
        own = (about == topics[:, None])[nouns].mean()
        others = (about == (topics[:, None] + 1) % SETTINGS.topics)[nouns].mean()
        assert own > 4 * others
    assert np.bincount(topics).min() > 0.9 * len(topics) / SETTINGS.topics


def test_verbs_agree_with_a_subject_however_far_it_is() -> None:
    tokens = words()
    verbs = is_a("verb", tokens)
    starts = is_a("stop", tokens)
    checked = far = 0
    for row, (line, verb, stop) in enumerate(zip(tokens[:1500], verbs, starts, strict=False)):
        for place in np.flatnonzero(verb):
            begin = np.flatnonzero(stop[:place])
            if not len(begin) or not is_a("determiner", line[begin[-1] + 1]):
                continue
            # Determiners, nouns and verbs are numbered first + CLASSES * rank + class.
            subject = (line[begin[-1] + 1] - TABLES.first["determiner"]) % CLASSES
            between = line[begin[-1] + 1 : place]
            if is_a("link", between).any():
                continue
            assert (line[place] - TABLES.first["verb"]) % CLASSES == subject, (row, place)
            checked += 1
            far += len(between) > 5
    assert checked > 1000
    assert far > 100


def test_names_keep_their_epithets_within_a_document() -> None:
    tokens = words()[:1500]
    epithets = is_a("epithet", tokens)[:, 1:] & is_a("name", tokens)[:, :-1]
    pairs = np.argwhere(epithets)
    by_name: dict[tuple[int, int], set[int]] = {}
    for row, place in pairs:
        by_name.setdefault((row, tokens[row, place]), set()).add(tokens[row, place + 1])
    assert {len(followers) for followers in by_name.values()} == {1}
    everywhere: dict[int, set[int]] = {}
    for (_, name), followers in by_name.items():
        everywhere.setdefault(name, set()).update(followers)
    assert np.mean([len(followers) for followers in everywhere.values()]) > 8
    assert len(pairs) > 1.5 * len(by_name)


@pytest.mark.nightly
def test_counted_entropies_lie_above_the_bound_in_order() -> None:
    train, held_out = sample(documents=20_000).tokens, sample(split="validation", documents=2000)
    single = np.bincount(train.ravel(), minlength=VOCABULARY) + 0.5
    single /= single.sum()
    pairs = np.zeros((VOCABULARY, VOCABULARY))
    np.add.at(pairs, (train[:, :-1].ravel(), train[:, 1:].ravel()), 1)
    pairs = (pairs + 2 * single) / (pairs.sum(axis=1, keepdims=True) + 2)
    before, target = held_out.tokens[:, :-1], held_out.tokens[:, 1:]
    unigram, bigram = -np.log(single[target]).mean(), -np.log(pairs[before, target]).mean()
    bound = lower_bound(held_out)
    assert 4.8 < unigram < 5.2
    assert 3.5 < bigram < 3.75
    assert 2.4 < bound < 2.5


@pytest.mark.nightly
def test_instances_are_equally_hard() -> None:
    bounds = [lower_bound(sample(seed, "validation")) for seed in (SEED, OTHER, "5" * 32)]
    assert np.ptp(bounds) < 0.015
    often = [np.sort(np.bincount(sample(seed).tokens.ravel()))[::-1] for seed in (SEED, OTHER)]
    assert np.abs(often[0][:100] / often[1][:100] - 1).max() < 0.08


def test_the_first_slot_is_reached_from_every_slot() -> None:
    reached, slots = [Slot.STOP], {Slot.STOP}
    while reached:
        following = set(FOLLOWS[reached.pop()]) - slots
        slots |= following
        reached.extend(following)
    assert slots == set(Slot)
