"""Identity swap: the inner face of another person, blended in."""

from __future__ import annotations

import cv2
import numpy as np

from scenarios.mechanisms.base import Image, Subject, ellipse, inner_face, matched, move


def feathered_swap(subject: Subject, rng: np.random.Generator) -> Image:
    """Lay the donor's aligned inner face over the subject with a soft border and matched colours."""
    mask = inner_face(subject, rng, softness=rng.uniform(0.2, 0.4))
    donor = matched(_aligned(subject, rng), subject.image, mask)
    return subject.image * (1 - mask) + donor * mask


def gradient_swap(subject: Subject, rng: np.random.Generator) -> Image:
    """Paste the donor's gradients and solve for the colours.

    Source:
        Pérez, Gangnet and Blake, Poisson image editing, SIGGRAPH 2003, as OpenCV solves it.
    """
    side = len(subject.image)
    donor = (np.clip(_aligned(subject, rng), 0, 1) * 255).astype(np.uint8)
    target = (np.clip(subject.image, 0, 1) * 255).astype(np.uint8)
    mask = (ellipse(side, subject.layout.centre, subject.layout.radii, 0.02)[..., 0] > 0.5).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(mask)
    middle = (x + width // 2, y + height // 2)
    blended = cv2.seamlessClone(donor, target, mask * 255, middle, cv2.NORMAL_CLONE)
    return blended.astype(np.float32) / 255


def self_blend(subject: Subject, rng: np.random.Generator) -> Image:
    """Blend the face with a rescaled and recoloured copy of itself."""
    side = len(subject.image)
    scale, shift = rng.uniform(0.94, 1.06), rng.uniform(-0.02, 0.02, 2) * side
    middle = np.array(subject.layout.centre) * side
    offset = middle * (1 - scale) + shift
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]], np.float32)
    copy = move(subject.image, matrix) * rng.uniform(0.9, 1.1) + rng.uniform(-0.04, 0.04)
    mask = inner_face(subject, rng, softness=rng.uniform(0.1, 0.3))
    return subject.image * (1 - mask) + copy.astype(np.float32) * mask


def _aligned(subject: Subject, rng: np.random.Generator) -> Image:
    """Return the donor, moved so that its eyes and mouth are where the subject's are."""
    side = len(subject.image)
    here = np.array([*subject.layout.eyes, subject.layout.mouth], np.float32) * side
    there = np.array([*subject.donor_layout.eyes, subject.donor_layout.mouth], np.float32) * side
    there += rng.uniform(-0.4, 0.4, there.shape).astype(np.float32)
    matrix = cv2.getAffineTransform(there, here).astype(np.float32)
    return move(subject.donor, matrix)
