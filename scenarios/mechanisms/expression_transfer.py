"""Expression transfer: the face moved, by resampling."""

from __future__ import annotations

import cv2
import numpy as np

from scenarios.mechanisms.base import Image, Subject, ellipse, smooth_noise, warp


def feature_warp(subject: Subject, rng: np.random.Generator) -> Image:
    """Move the mouth and the eyes by a smooth local warp, bilinearly resampled."""
    side = len(subject.image)
    flow = np.zeros((side, side, 2), np.float32)
    for centre, radii in (
        (subject.layout.mouth, (0.2, 0.13)),
        (subject.layout.eyes[0], (0.13, 0.1)),
        (subject.layout.eyes[1], (0.13, 0.1)),
    ):
        shift = rng.uniform(0.015, 0.04, 2) * rng.choice([-1, 1], 2) * side
        flow += ellipse(side, centre, radii, 0.8) * shift.astype(np.float32)
    return warp(subject.image, flow)


def reenactment(subject: Subject, rng: np.random.Generator) -> Image:
    """Drive the whole face by a smooth random field, resampled bicubically and sharpened after it."""
    side = len(subject.image)
    flow = smooth_noise(side, 4, 2, rng) * rng.uniform(0.012, 0.022) * side
    driven = warp(subject.image, flow, cv2.INTER_CUBIC)
    sharpened = driven + 0.35 * (driven - cv2.GaussianBlur(driven, (0, 0), 1.0))
    mask = ellipse(side, subject.layout.centre, (0.42, 0.46), 0.25)
    return subject.image * (1 - mask) + sharpened * mask
