import numpy as np
import pytest
from scipy.stats import t as student

from scoring.tmodel import model_medians


def noisy(entries: int, workloads: int, studies: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.exp(3 + 0.2 * random.standard_normal((entries, workloads, studies)))


def test_without_censoring_a_difference_has_the_t_interval_of_a_paired_analysis() -> None:
    times = noisy(2, 6, 4)
    logs = np.log(model_medians(times, np.full((2, 6), 1e6), 20_000, seed=1))
    quantiles = np.quantile((logs[:, 0] - logs[:, 1])[:, 0], [0.05, 0.95])
    differences = np.log(times[0]) - np.log(times[1])
    mean = differences.mean(axis=1)
    freedom = 6 * 3
    variance = ((differences - mean[:, None]) ** 2).sum() / freedom
    half = student.ppf(0.95, freedom) * np.sqrt(variance / 4)
    # The instance effect is a random one here, which takes a little less than the fixed one does.
    assert quantiles == pytest.approx([mean[0] - half, mean[0] + half], abs=0.03)


def test_what_all_entries_owe_to_the_instance_does_not_widen_their_difference() -> None:
    random = np.random.default_rng(2)
    instance = np.exp(0.8 * random.standard_normal((1, 4, 3)))
    times = instance * np.exp(0.01 * random.standard_normal((2, 4, 3)))
    logs = np.log(model_medians(times, np.full((2, 4), 1e6), 2000, seed=0))
    assert (logs[:, 0] - logs[:, 1]).std(axis=0).max() < 0.05


def test_an_entry_that_never_reached_stays_so() -> None:
    times = noisy(2, 2, 3)
    times[0, 1] = np.inf
    medians = model_medians(times, np.full((2, 2), 100.0), 500, seed=0)
    assert np.isinf(medians[:, 0, 1]).all()
    assert np.isfinite(medians[:, 1]).all()


def test_a_censored_study_moves_the_median_up_and_sometimes_beyond_the_limit() -> None:
    times = np.array([[[20.0, 24.0, np.inf], [20.0, 20.5, 21.0]]])
    medians = model_medians(times, np.full((1, 2), 25.0), 4000, seed=0)
    assert 0.05 < np.isinf(medians[:, 0, 0]).mean() < 0.6
    assert np.nanmedian(medians[:, 0, 0]) > 21


def test_ties_and_zero_times_do_no_harm() -> None:
    medians = model_medians(np.zeros((2, 1, 3)), np.full((2, 1), 1.0), 200, seed=0)
    assert np.isfinite(medians).all()
    assert medians.max() < 1e-6
