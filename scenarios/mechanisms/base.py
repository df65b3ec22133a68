"""What a mechanism is given, and what mechanisms share: where the features are, soft regions, warps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]
"""`(S, S, 3)` float32 in [0, 1]; the libraries that make them say less precisely what they return."""


@dataclass(frozen=True)
class Layout:
    """Where the features of a face are, as shares of its side, measured from the top left corner."""

    eyes: tuple[tuple[float, float], tuple[float, float]] = ((0.34, 0.42), (0.66, 0.42))
    mouth: tuple[float, float] = (0.5, 0.74)
    nose: tuple[float, float] = (0.5, 0.58)
    centre: tuple[float, float] = (0.5, 0.56)
    """Of the inner face."""
    radii: tuple[float, float] = (0.27, 0.32)
    """Of the inner face, across and down."""


@dataclass(frozen=True)
class Subject:
    """A face to forge, with another person's face to take from."""

    image: Image
    layout: Layout
    donor: Image
    donor_layout: Layout


Mechanism = Callable[[Subject, np.random.Generator], Image]


def ellipse(side: int, centre: tuple[float, float], radii: tuple[float, float], softness: float) -> Image:
    """Return an `(S, S, 1)` mask that falls from 1 to 0 over the border; all measures are shares."""
    grid = (np.arange(side, dtype=np.float32) + 0.5) / side
    across = (grid[None, :] - centre[0]) / radii[0]
    down = (grid[:, None] - centre[1]) / radii[1]
    distance = np.sqrt(across**2 + down**2)
    mask: Image = np.clip((1 - distance) / max(softness, 1e-3) + 0.5, 0, 1)[:, :, None].astype(np.float32)
    return mask


def inner_face(subject: Subject, rng: np.random.Generator, softness: float) -> Image:
    """Return the mask of the subject's inner face, a little larger or smaller each time."""
    scale = rng.uniform(0.9, 1.1)
    radii = subject.layout.radii[0] * scale, subject.layout.radii[1] * scale
    return ellipse(len(subject.image), subject.layout.centre, radii, softness)


def warp(image: Image, flow: Image, interpolation: int = cv2.INTER_LINEAR) -> Image:
    """Resample an image at its own places plus an `(S, S, 2)` flow in pixels."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    warped: Image = cv2.remap(
        image, columns + flow[..., 0], rows + flow[..., 1], interpolation, borderMode=cv2.BORDER_REFLECT
    )
    return warped


def move(image: Image, matrix: NDArray[np.float32], interpolation: int = cv2.INTER_LINEAR) -> Image:
    """Resample an image under a `(2, 3)` affine map."""
    side = image.shape[1], image.shape[0]
    moved: Image = cv2.warpAffine(image, matrix, side, flags=interpolation, borderMode=cv2.BORDER_REFLECT)
    return moved


def smooth_noise(side: int, knots: int, channels: int, rng: np.random.Generator) -> Image:
    """Return `(S, S, channels)` noise of unit variance at the knots, interpolated between them."""
    coarse = rng.standard_normal((knots, knots, channels)).astype(np.float32)
    noise = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return noise.reshape(side, side, channels)


def matched(image: Image, target: Image, mask: Image) -> Image:
    """Give an image the mean and contrast that the target has under the mask, channel by channel."""
    weight = mask / mask.sum()
    mean, wanted = (image * weight).sum((0, 1)), (target * weight).sum((0, 1))
    spread = np.sqrt((((image - mean) ** 2) * weight).sum((0, 1))) + 1e-4
    wanted_spread = np.sqrt((((target - wanted) ** 2) * weight).sum((0, 1)))
    result: Image = (image - mean) * np.clip(wanted_spread / spread, 0.7, 1.4) + wanted
    return result
