import numpy as np
import pytest

from scoring.bootstrap import bootstrap_medians, sorting_network
from scoring.draws import draw_medians
from scoring.evaluate import score_results

from .made_frames import frame


@pytest.mark.parametrize("count", range(1, 18))
def test_the_network_sorts(count: int) -> None:
    values = np.random.default_rng(count).integers(0, 2, (2000, count)).astype(float)
    slots = list(values.T.copy())
    for low, high in sorting_network(count):
        slots[low], slots[high] = (
            np.minimum(slots[low], slots[high]),
            np.maximum(slots[low], slots[high]),
        )
    np.testing.assert_array_equal(np.stack(slots, axis=1), np.sort(values, axis=1))


def resample(times: np.ndarray, draws: int = 400) -> np.ndarray:
    return np.concatenate(list(bootstrap_medians(times, draws, seed=3)))


def test_entries_are_resampled_together() -> None:
    times = np.random.default_rng(0).uniform(1, 2, (1, 3, 6))
    both = resample(np.concatenate([times, 2 * times]))
    np.testing.assert_allclose(both[:, 1], 2 * both[:, 0])


def test_medians_are_those_of_resampled_studies() -> None:
    times = np.array([[[1.0, 2.0, 3.0, 4.0, 5.0]]])
    medians = resample(times, 20_000)[:, 0, 0]
    # P(median = 1) = P(at least three of five draws are the least), and so on.
    assert np.mean(medians == 1) == pytest.approx(0.0579, abs=0.006)
    assert np.mean(medians == 3) == pytest.approx(0.3655, abs=0.012)


def test_studies_that_an_entry_lacks_leave_the_rest_to_be_resampled() -> None:
    times = np.array([[[1.0, np.nan, 3.0]], [[1.0, 2.0, 3.0]]])
    assert set(resample(times)[:, 0, 0]) == {1.0, 2.0, 3.0}
    assert np.isinf(resample(np.full((1, 1, 2), np.nan))).all()


def test_an_infinite_time_is_resampled_like_any_other() -> None:
    assert 0.2 < np.isinf(resample(np.array([[[1.0, 2.0, np.inf]]]))).mean() < 0.3


def test_one_workload_with_few_studies_is_not_resampled() -> None:
    many, few = [10.0, 10.5, 11.0, 9.5, 10.2], [10.0]
    whole = {(entry, workload): many for entry in "ab" for workload in ("v", "w")}
    short = whole | {("a", "w"): few, ("b", "w"): few}
    methods = []
    for times in (whole, short):
        board = score_results(frame(times))
        methods.append(draw_medians(board.times, board.rules, 64, 0).method)
    assert methods == ["bootstrap", "model"]
