"""The projection: channels standardised, then an orthonormal frame from the seed."""

import numpy as np

from workloads.data.projection import Projection, channel_statistics, frame

SEED = "0123456789abcdef0123456789abcdef"


def images(count: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (count, 3 * 64), dtype=np.uint8)


def test_the_frame_is_orthonormal_and_the_seed_fixes_it() -> None:
    columns = frame(SEED, 96, 16)
    assert np.allclose(columns.T @ columns, np.eye(16))
    assert np.array_equal(columns, frame(SEED, 96, 16))
    assert not np.allclose(columns, frame("f" * 32, 96, 16))


def test_channel_statistics_are_numpys() -> None:
    pixels = images(600)
    channels = pixels.reshape(600, 3, 64).astype(np.float64)
    mean, deviation = channel_statistics(pixels)
    assert np.allclose(mean, channels.mean(axis=(0, 2)))
    assert np.allclose(deviation, channels.std(axis=(0, 2)))


def test_images_are_standardised_then_projected() -> None:
    pixels = images(600)
    channels = pixels.reshape(600, 3, 64).astype(np.float64)
    mean, deviation = channels.mean(axis=(0, 2)), channels.std(axis=(0, 2))
    standard = (channels - mean[None, :, None]) / deviation[None, :, None]
    expected = standard.reshape(600, -1) @ frame(SEED, 192, 16)
    projected = Projection(SEED, pixels, 16)(pixels)
    assert projected.dtype == np.float32
    assert projected.flags.c_contiguous
    assert np.allclose(projected, expected, atol=1e-4)
