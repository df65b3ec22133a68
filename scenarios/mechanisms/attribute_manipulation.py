"""Attribute manipulation: one part of the face made again."""

from __future__ import annotations

import cv2
import numpy as np

from scenarios.mechanisms.base import Image, Subject, ellipse


def inpainting(subject: Subject, rng: np.random.Generator) -> Image:
    """Remove an eye, the nose or the mouth and grow the surroundings back into the hole.

    Source:
        Telea, An image inpainting technique based on the fast marching method, 2004, as in OpenCV.
    """
    side = len(subject.image)
    places = (*subject.layout.eyes, subject.layout.nose, subject.layout.mouth)
    mask = np.zeros((side, side), np.uint8)
    for index in rng.permutation(len(places))[: rng.integers(1, 3)]:
        radii = (rng.uniform(0.06, 0.1), rng.uniform(0.04, 0.07))
        mask |= (ellipse(side, places[index], radii, 0.02)[..., 0] > 0.5).astype(np.uint8)
    picture = (np.clip(subject.image, 0, 1) * 255).astype(np.uint8)
    filled = cv2.inpaint(picture, mask, 3, cv2.INPAINT_TELEA).astype(np.float32) / 255
    return np.where(mask[:, :, None] > 0, filled, subject.image).astype(np.float32)


def beauty_filter(subject: Subject, rng: np.random.Generator) -> Image:
    """Smooth the skin and keep its edges."""
    smooth = cv2.bilateralFilter(subject.image, 7, rng.uniform(0.08, 0.12), 2.5)
    mask = ellipse(len(subject.image), subject.layout.centre, (0.36, 0.42), 0.3)
    return (subject.image * (1 - mask) + smooth * mask).astype(np.float32)


def recolouring(subject: Subject, rng: np.random.Generator) -> Image:
    """Shift the tint of the face through a coarse colour table, which leaves steps in the tones."""
    levels = int(rng.integers(24, 40))
    steps = np.round(subject.image * levels) / levels
    tint = rng.uniform(-0.05, 0.05, 3).astype(np.float32)
    mask = ellipse(len(subject.image), subject.layout.centre, (0.36, 0.42), 0.3)
    return (subject.image * (1 - mask) + (steps + tint) * mask).astype(np.float32)
