"""What the probes' data do, against closed forms and scipy's distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare, kstest, t

from harness.providers import registry
from tests.probes.training import splits_of

BATCH, STEPS = 32, 600
PROBES = registry.suite("probes").workloads
DECLARED = ("steps", "batch", "inputs", "outputs", "classes")


def teacher_of(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """What maps inputs to targets, by least squares."""
    return np.asarray(np.linalg.lstsq(inputs.astype(np.float64), targets, rcond=None)[0])


def residuals(probe: str) -> np.ndarray:
    """Of the training targets from the teacher's, (steps, examples of a batch * outputs)."""
    (inputs, targets), held_out = splits_of(probe)
    return np.asarray(targets - inputs @ teacher_of(*held_out)).reshape(STEPS, -1)


@pytest.mark.parametrize("probe", PROBES)
def test_budget_data_and_model_agree(probe: str) -> None:
    size = registry.workload(probe).at("probes")
    assert size.data is not None
    output = {
        "steps": size.budget.steps,
        "batch": size.batch_size,
        **{name: size.sizes.get(name) for name in ("inputs", "outputs", "classes")},
    }
    assert {name: size.data.settings.get(name) for name in DECLARED} == output
    assert size.train_examples == size.batch_size * (size.budget.steps or 0)


@pytest.mark.parametrize("probe", ["ill_conditioned", "rotated_conditioning"])
def test_the_covariance_has_the_declared_spectrum_and_the_held_out_one_none(probe: str) -> None:
    (inputs, _), (held_out, _) = splits_of(probe)
    spectrum = np.linalg.eigvalsh(np.cov(inputs.T.astype(np.float64)))[::-1]
    assert spectrum == pytest.approx(np.geomspace(1.0, 1e-4, 64), rel=0.15)
    assert np.cov(held_out.T).diagonal() == pytest.approx(np.ones(64), rel=0.25)


def test_only_the_rotated_spectrum_lies_off_the_axes() -> None:
    aligned, rotated = (
        np.corrcoef(splits_of(probe).train[0].T)[~np.eye(64, dtype=bool)]
        for probe in ("ill_conditioned", "rotated_conditioning")
    )
    assert np.abs(aligned).max() < 0.05 < np.abs(rotated).mean()


def test_heavy_tails_are_students() -> None:
    noise = residuals("heavy_tails").flatten()[::50] / 0.5
    assert kstest(noise, t(1.1).cdf).pvalue > 1e-3
    assert kstest(noise, t(3.0).cdf).pvalue < 1e-3


def test_inputs_are_drawn_as_rarely_as_declared() -> None:
    (inputs, _), (held_out, _) = splits_of("sparse_inputs")
    frequencies = np.arange(1, 65) ** -1.5
    expected = len(inputs) * frequencies / frequencies.sum()
    assert chisquare(inputs.sum(axis=0), expected).pvalue > 1e-3
    assert chisquare(held_out.sum(axis=0)).pvalue > 1e-3


def test_a_spike_is_one_batch_scaled_and_told_wrong() -> None:
    (inputs, targets), held_out = splits_of("spike")
    batches = inputs.reshape(STEPS, BATCH, -1)
    assert np.flatnonzero(np.abs(batches).max(axis=(1, 2)) > 100).tolist() == [30]
    error = targets.reshape(STEPS, BATCH, -1)[30]
    assert error == pytest.approx(-batches[30] @ teacher_of(*held_out), rel=1e-2, abs=1.0)


def test_one_target_is_nan() -> None:
    (_, targets), _ = splits_of("one_nan")
    ((place, _),) = np.argwhere(np.isnan(targets))
    assert place // BATCH == 20


def test_scales_move_geometrically() -> None:
    (inputs, _), _ = splits_of("shrinking_gradients")
    sizes = np.sqrt(np.square(inputs.reshape(STEPS, -1)).mean(axis=1))
    assert sizes == pytest.approx(np.geomspace(1e4, 1e-4, STEPS), rel=0.1)


def test_half_of_the_inputs_are_silent_at_first() -> None:
    (inputs, _), _ = splits_of("late_inputs")
    is_silent = (inputs.reshape(STEPS, BATCH, 64) == 0.0).all(axis=1)
    assert is_silent[:300, :32].all()
    assert not is_silent[300:].any()
    assert not is_silent[:, 32:].any()


def test_another_teacher_comes_first() -> None:
    is_wrong = np.abs(residuals("shifting_targets")).max(axis=1) > 1e-3
    assert is_wrong.tolist() == [True] * 240 + [False] * 360


def test_the_majority_is_contrary_and_the_right_steps_are_larger() -> None:
    is_wrong = np.abs(residuals("contrary_majority")).max(axis=1) > 1e-2
    assert is_wrong.tolist() == [True, True, True, False] * (STEPS // 4)
    (inputs, _), _ = splits_of("contrary_majority")
    sizes = np.square(inputs.reshape(STEPS, -1)).mean(axis=1) ** 0.5
    assert sizes[3::4] == pytest.approx(6.0 * np.ones(STEPS // 4), rel=0.1)
    assert sizes[::4] == pytest.approx(np.ones(STEPS // 4), rel=0.1)


def test_classes_are_rare_in_training_alone() -> None:
    (_, classes), (_, held_out) = splits_of("rare_classes")
    frequencies = np.arange(1, 17) ** -2.0
    expected = len(classes) * frequencies / frequencies.sum()
    assert chisquare(np.bincount(classes, minlength=16), expected).pvalue > 1e-3
    assert chisquare(np.bincount(held_out, minlength=16)).pvalue > 1e-3
