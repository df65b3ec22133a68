"""Entire-face synthesis: a face decoded from a small code, with the traces of how it was enlarged.

The decoders have fixed, seeded weights: what a trained generator leaves behind is decided by its up-sampling
layers more than by its training (Odena, Dumoulin and Olah, Deconvolution and checkerboard artifacts, 2016;
Zhang, Karaman and Chang, Detecting and simulating artifacts in GAN fake images, 2019).
"""

from __future__ import annotations

import cv2
import numpy as np

from scenarios.mechanisms.base import Image, Subject

_FINISH = 0.75
"""Share of the bent tones; the rest is the enlarged face as it is."""


def transposed_convolution(subject: Subject, rng: np.random.Generator) -> Image:
    """Enlarge by a transposed convolution whose kernel does not divide by its stride: a checkerboard."""
    code = _halved(subject.image)
    spread = np.zeros_like(subject.image)
    spread[::2, ::2] = code
    # A kernel of odd size over a stride of two covers the four phases of the grid unequally. Training evens
    # that out almost, but never quite.
    even = np.outer([0.5, 1.0, 0.5], [0.5, 1.0, 0.5])
    uneven = np.outer([0.42, 0.96, 0.62], [0.42, 0.96, 0.62])
    kernel = (0.75 * even + 0.25 * uneven).astype(np.float32)
    return _decoded(cv2.filter2D(spread, -1, kernel, borderType=cv2.BORDER_REFLECT_101), rng)


def nearest_neighbour(subject: Subject, rng: np.random.Generator) -> Image:
    """Enlarge by repeating pixels, then convolve and bend."""
    code = _halved(subject.image)
    enlarged = np.repeat(np.repeat(code, 2, axis=0), 2, axis=1)
    kernel = np.array([[0.3, 0.8, 0.4], [0.7, 2.0, 0.9], [0.2, 0.8, 0.5]], np.float32)
    return _decoded(cv2.filter2D(enlarged, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT), rng)


def sub_pixel(subject: Subject, rng: np.random.Generator) -> Image:
    """Enlarge by shuffling four differently filtered copies into the phases of the grid."""
    code = _halved(subject.image)
    enlarged = np.empty_like(subject.image)
    for row in range(2):
        for column in range(2):
            kernel = np.zeros((3, 3), np.float32)
            kernel[1, 1] = 0.78 + 0.05 * row - 0.03 * column
            kernel[1, 2 * column] += 0.2
            kernel[2 * row, 1] += 0.08
            phase = cv2.filter2D(code, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
            enlarged[row::2, column::2] = phase * (1.0 + 0.012 * (row - column))
    return _decoded(enlarged, rng)


def vector_quantisation(subject: Subject, rng: np.random.Generator) -> Image:
    """Code blocks of 4 x 4 pixels by their strongest few cosine coefficients, coarsely rounded."""
    side = len(subject.image)
    coded = np.empty_like(subject.image)
    for top in range(0, side, 4):
        for left in range(0, side, 4):
            for channel in range(3):
                block = np.ascontiguousarray(subject.image[top : top + 4, left : left + 4, channel])
                spectrum = cv2.dct(block)
                rounded = np.round(spectrum / 0.06) * 0.06
                rounded[0, 0] = spectrum[0, 0]
                coded[top : top + 4, left : left + 4, channel] = cv2.idct(rounded)
    return _decoded(cv2.GaussianBlur(coded, (0, 0), 0.45), rng)


def denoising(subject: Subject, rng: np.random.Generator) -> Image:
    """Remove all fine grain in a few steps, as a diffusion model's last ones do, and leave white noise."""
    image = subject.image
    for _ in range(3):
        image = cv2.bilateralFilter(image, 5, 0.07, 1.2)
    return image + rng.normal(0, 0.008, image.shape).astype(np.float32)


def _halved(image: Image) -> Image:
    side = len(image) // 2
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


def _decoded(enlarged: Image, rng: np.random.Generator) -> Image:
    """Bend the tones as an activation does, and sharpen to hide the loss."""
    bent = np.tanh(1.1 * (enlarged - 0.5)) / np.tanh(0.55) / 2 + 0.5
    detail = bent - cv2.GaussianBlur(bent, (0, 0), 1.1)
    grain = rng.normal(0, 0.006, bent.shape)
    finished: Image = (_FINISH * bent + (1 - _FINISH) * enlarged + 0.5 * detail + grain).astype(np.float32)
    return finished
