"""A validation split drawn from strata: unbiased, and steadier than one drawn at random."""

import numpy as np

from harness.core.seeds import philox
from workloads.data.strata import SIZE, UNIT, one_of_each, rarity

RANDOM = np.random.default_rng(0)


def test_one_document_of_each_stratum_is_drawn() -> None:
    scores = RANDOM.permutation(40 * SIZE)
    drawn = one_of_each(scores, philox("1" * 32, "strata"))
    assert np.array_equal(np.sort(scores[drawn]) // SIZE, np.arange(40))
    assert np.array_equal(drawn, np.sort(drawn))


def test_every_candidate_is_as_likely_as_any_other() -> None:
    bits = philox("2" * 32, "strata")
    times = np.bincount(
        np.concatenate([one_of_each(np.arange(2 * SIZE), bits) for _ in range(8000)])
    )
    assert times.size == 2 * SIZE
    expected = 8000 / SIZE
    assert np.abs(times - expected).max() < 5 * np.sqrt(expected)


def test_the_mean_of_what_follows_the_scores_is_kept_and_steadier() -> None:
    bits, drawn_means, random_means = philox("3" * 32, "strata"), [], []
    for _ in range(400):
        scores = RANDOM.normal(size=20 * SIZE)
        losses = scores + RANDOM.normal(scale=0.5, size=scores.size)
        places = one_of_each(np.rint(1000 * scores).astype(np.int64), bits)
        drawn_means.append(losses[places].mean())
        random_means.append(losses[:20].mean())
    assert abs(np.mean(drawn_means)) < 5 * np.std(drawn_means) / 20
    assert np.var(drawn_means) < 0.4 * np.var(random_means)


def test_rarity_is_the_log_of_the_frequency() -> None:
    train = np.repeat(np.array([0, 1, 2], dtype=np.uint16), (16, 4, 1)).reshape(1, -1)
    tokens = np.array([[0, 0], [1, 2], [3, 3]], dtype=np.uint16)
    assert rarity(tokens, train).tolist() == [-8 * UNIT, -2 * UNIT, 0]
