"""The fine traces of a generator: what smoothing takes away, and its power at each spatial frequency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RINGS = 32
"""Bands of spatial frequency, of equal width up to that of a chessboard."""
BATCH = 100
"""Faces that are transformed at a time: some hundred MB of 256 pixels a side."""


def residuals(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what a 3 x 3 mean leaves of `(N, C, H, W)` images."""
    pixels = images.astype(np.float32)
    padded = np.pad(pixels, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    height, width = pixels.shape[2:]
    smooth = sum(
        padded[:, :, down : down + height, across : across + width]
        for down in range(3)
        for across in range(3)
    )
    return pixels - np.asarray(smooth, np.float32) / np.float32(9)


def spectra(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the `(N, C * RINGS)` mean logarithms of the residuals' power in rings of equal frequency.

    Up-sampling, blending and filtering each leave another curve, wherever in the face they were at work.

    Args:
        images: `(N, C, H, W)`.

    Source:
        Durall, Keuper and Keuper, Watch your up-convolution, CVPR 2020: the azimuthal integral of the power.
    """
    count, channels, height, width = images.shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    rings = np.minimum((frequency / np.sqrt(0.5) * RINGS).astype(np.int64), RINGS - 1).ravel()
    shares = np.eye(RINGS, dtype=np.float32)[rings]
    shares /= np.maximum(shares.sum(axis=0), 1)
    window = np.hanning(height)[:, None] * np.hanning(width)[None]
    parts = [
        np.log(np.abs(np.fft.rfft2(residuals(images[start : start + BATCH]) * window)) ** 2 + 1e-3)
        for start in range(0, len(images), BATCH)
    ]
    found = [part.reshape(*part.shape[:2], -1).astype(np.float32) @ shares for part in parts]
    together = np.concatenate([np.empty((0, channels, RINGS), np.float32), *found])
    return together.reshape(count, channels * RINGS)
