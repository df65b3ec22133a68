"""One local edit: a component made again by a generator, and the whole picture saved.

An editor of faces decodes a component and its surroundings anew and saves the picture, which costs the
finest detail a little each time. So what was edited first has been saved most often, and where two edits meet
the later one covers the earlier: the order is in the pixels, as it is in those of a re-synthesised face.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from scenarios.mechanisms.base import Image, Layout, Subject, ellipse, matched, move
from scenarios.mechanisms.synthesis import transposed_convolution

COMPONENTS = ("nose", "eye", "eyebrow", "lip", "hair")
LARGEST_EXTRA_SAVES = 2
"""Any picture, genuine or not, was saved up to so many times before."""

_KEPT = 0.8
"""Of the centre pixel, along each axis, at each save."""
_HALO = 0.6
"""Share of the surroundings that the decoder makes again, as they were, when it makes a component anew."""
_EDITED = 0.5
"""Opacity from which on a pixel counts as edited."""


def edited(
    subject: Subject, sequence: Sequence[int], rng: np.random.Generator
) -> tuple[Image, NDArray[np.uint8]]:
    """Edit a face.

    Args:
        subject: the face, and the one that components are taken from.
        sequence: components to edit, numbers from 1, in order.
        rng: draws sizes, strengths and earlier saves.

    Returns:
        The `(S, S, 3)` face in [0, 1], and an `(S, S)` mask in which component n sets bit n - 1.
    """
    image = subject.image
    for _ in range(int(rng.integers(LARGEST_EXTRA_SAVES + 1))):
        image = _saved(image, rng)
    mask = np.zeros(image.shape[:2], np.uint8)
    for component in sequence:
        opacity = component_mask(COMPONENTS[component - 1], subject.layout, len(image), rng)
        part = replace(subject, image=_aligned_donor(subject, COMPONENTS[component - 1]))
        made = transposed_convolution(part, rng)
        fitted = matched(made, image, opacity)
        around = _HALO * _grown(opacity)
        passed = transposed_convolution(replace(subject, image=image), rng)
        image = image * (1 - around) + passed * around
        image = _saved(image * (1 - opacity) + fitted * opacity, rng)
        mask |= (opacity[..., 0] > _EDITED).astype(np.uint8) << (component - 1)
    return image, mask


def component_mask(component: str, layout: Layout, side: int, rng: np.random.Generator) -> Image:
    """Return the `(S, S, 1)` opacity of a component of a face, a little larger or smaller each time."""
    scale = rng.uniform(0.9, 1.15)
    if component == "hair":
        outer = ellipse(side, (layout.centre[0], layout.centre[1] - 0.1), (0.46 * scale, 0.5 * scale), 0.1)
        inner = ellipse(side, (layout.centre[0], layout.centre[1] + 0.06), (0.33, 0.41), 0.1)
        above = np.clip((layout.centre[1] + 0.02 - (np.arange(side) + 0.5) / side) * 12, 0, 1)
        hair: Image = (outer * (1 - inner) * above[:, None, None]).astype(np.float32)
        return hair
    places, radii = _places(component, layout)
    parts = [ellipse(side, place, (radii[0] * scale, radii[1] * scale), 0.35) for place in places]
    whole: Image = np.max(parts, axis=0)
    return whole


def _grown(opacity: Image) -> Image:
    """Spread an `(S, S, 1)` opacity softly over a tenth of the side."""
    side = len(opacity)
    reach = 2 * round(side / 12) + 1
    grown: Image = cv2.GaussianBlur(cv2.dilate(opacity, np.ones((reach, reach))), (0, 0), side / 40)[
        ..., None
    ]
    return grown


def _places(component: str, layout: Layout) -> tuple[tuple[tuple[float, float], ...], tuple[float, float]]:
    """Return the centres of a component's parts and their radii, as shares of the side."""
    if component == "nose":
        return (layout.nose,), (0.1, 0.12)
    if component == "lip":
        return (layout.mouth,), (0.17, 0.085)
    if component == "eye":
        return layout.eyes, (0.115, 0.075)
    if component == "eyebrow":
        return tuple((across, down - 0.085) for across, down in layout.eyes), (0.125, 0.05)
    raise ValueError(component)


def _aligned_donor(subject: Subject, component: str) -> Image:
    """Shift the donor so that its component lies where the subject's does."""
    if component == "hair":
        ours, theirs = subject.layout.centre, subject.donor_layout.centre
    else:
        ours, theirs = (
            np.mean(_places(component, layout)[0], axis=0)
            for layout in (subject.layout, subject.donor_layout)
        )
    side = len(subject.image)
    matrix = np.array(
        [[1, 0, (ours[0] - theirs[0]) * side], [0, 1, (ours[1] - theirs[1]) * side]], np.float32
    )
    return move(subject.donor, matrix)


def _saved(image: Image, rng: np.random.Generator) -> Image:
    kernel = np.array([(1 - _KEPT) / 2, _KEPT, (1 - _KEPT) / 2], np.float32)
    softened = cv2.sepFilter2D(
        image.astype(np.float32), -1, kernel, kernel, borderType=cv2.BORDER_REFLECT_101
    )
    buffer = io.BytesIO()
    picture = PillowImage.fromarray((np.clip(softened, 0, 1) * 255).round().astype(np.uint8))
    picture.save(buffer, "JPEG", quality=int(rng.integers(93, 98)), subsampling=0)
    return np.asarray(PillowImage.open(buffer)).astype(np.float32) / 255
