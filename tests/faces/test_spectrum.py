"""What smoothing takes away from a face, and where in frequency it lies."""

from __future__ import annotations

import numpy as np
import pytest

from owcl.faces.spectrum import RINGS, residuals, spectra


def noise(ring: int, rng: np.random.Generator, side: int = 64) -> np.ndarray:
    """One grey image of noise whose frequencies are those of a ring."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    inside = (frequency / np.sqrt(0.5) * RINGS).astype(int) == ring
    wave = np.fft.irfft2(inside * np.exp(2j * np.pi * rng.random(frequency.shape)), (side, side))
    grey = np.clip(128 + 40 * wave / wave.std(), 0, 255).round().astype(np.uint8)
    return np.broadcast_to(grey, (1, 3, side, side))


def test_a_slope_leaves_no_residual_but_at_its_ends() -> None:
    slope = np.broadcast_to(np.arange(32, dtype=np.uint8) * 4, (2, 3, 32, 32))
    assert np.abs(residuals(slope)[..., 1:-1]).max() < 1e-4


@pytest.mark.parametrize("ring", [5, 12, 20])
def test_noise_is_seen_in_the_ring_of_its_frequencies(ring: int, rng: np.random.Generator) -> None:
    found = spectra(noise(ring, rng)).reshape(3, RINGS)
    np.testing.assert_array_equal(found.argmax(axis=1), ring)
    np.testing.assert_allclose(found[0], found[2])


@pytest.mark.parametrize("side", [16, 48, 256])
def test_images_of_every_size_have_as_many_numbers(side: int, rng: np.random.Generator) -> None:
    found = spectra(rng.integers(0, 256, (1, 3, side, side), np.uint8))
    assert found.shape == (1, 3 * RINGS)
    assert np.isfinite(found).all()


def test_many_faces_are_transformed_as_each_alone(rng: np.random.Generator) -> None:
    images = rng.integers(0, 256, (1001, 1, 8, 8), np.uint8)
    np.testing.assert_allclose(spectra(images)[[0, 1000]], spectra(images[[0, 1000]]), rtol=1e-5)
    assert spectra(images[:0]).shape == (0, RINGS)
