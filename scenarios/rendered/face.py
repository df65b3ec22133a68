"""One rendered face: a person, a pose, a light, a camera."""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image as PillowImage

from scenarios.mechanisms.base import Image, Layout, smooth_noise

_OVERSAMPLING = 2
"""Rendered larger and reduced, as a lens and a sensor do."""


def render(side: int, rng: np.random.Generator) -> tuple[Image, Layout]:
    """Return an `(S, S, 3)` face in [0, 1] as a camera would give it, and where its features are."""
    canvas = _Canvas(side * _OVERSAMPLING, rng)
    layout = _draw_person(canvas, rng)
    return _photographed(canvas.pixels, side, rng), layout


@dataclass
class _Pose:
    turn: float
    """Sideways shift of the features, as a share of the side; the outline moves less."""
    nod: float
    tilt: float
    """Radians in the image plane."""


class _Canvas:
    """Pixels in shares of the side, painted from the back to the front."""

    def __init__(self, side: int, rng: np.random.Generator) -> None:
        self.side = side
        self.rng = rng
        self.grid = (np.arange(side, dtype=np.float32) + 0.5) / side
        self.across, self.down = np.meshgrid(self.grid, self.grid)
        self.pixels: Image = np.zeros((side, side, 3), np.float32)

    def ellipse(
        self, centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0, soft: float = 0.06
    ) -> Image:
        """Return an `(S, S, 1)` mask of a turned ellipse with a soft border."""
        # Half of the soft border lies outside; beyond it the mask is nought.
        reach = max(radii) * (1 + soft)
        window = self._between(centre[1], reach), self._between(centre[0], reach)
        right, below = self.across[window] - centre[0], self.down[window] - centre[1]
        cosine, sine = np.cos(angle), np.sin(angle)
        distance = np.sqrt(
            ((right * cosine + below * sine) / radii[0]) ** 2
            + ((below * cosine - right * sine) / radii[1]) ** 2
        )
        mask: Image = np.zeros((self.side, self.side, 1), np.float32)
        mask[window] = np.clip((1 - distance) / soft + 0.5, 0, 1)[..., None]
        return mask

    def _between(self, centre: float, reach: float) -> slice:
        first, last = np.searchsorted(self.grid, (centre - reach, centre + reach))
        return slice(int(first), int(last))

    def paint(self, mask: Image, colour: Image | np.ndarray) -> None:
        """Lay a colour, or an image of colours, over the pixels where the mask is."""
        # Most features are small, and the rest of the canvas stays as it is.
        window = _extent(mask, across=(1, 2)), _extent(mask, across=(0, 2))
        laid = np.broadcast_to(colour, self.pixels.shape)[window] * mask[window]
        self.pixels[window] = self.pixels[window] * (1 - mask[window]) + laid

    def texture(self, knots: int, strength: float) -> Image:
        """Return `(S, S, 1)` smooth noise around 1."""
        return 1 + strength * smooth_noise(self.side, knots, 1, self.rng)


def _extent(mask: Image, across: tuple[int, int]) -> slice:
    """Return from the first to the last row or column of which anything, across the other axes, is in it."""
    places = np.flatnonzero(mask.any(axis=across))
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0)


def _draw_person(canvas: _Canvas, rng: np.random.Generator) -> Layout:
    pose = _Pose(rng.uniform(-0.05, 0.05), rng.uniform(-0.03, 0.03), rng.uniform(-0.12, 0.12))
    tone = rng.uniform(0.25, 0.9)
    skin = np.array([0.38 + 0.5 * tone, 0.24 + 0.5 * tone, 0.17 + 0.47 * tone]) * rng.uniform(0.95, 1.03, 3)
    hair = np.array([0.5, 0.36, 0.22]) * rng.uniform(0.1, 1.3) * rng.uniform(0.9, 1.1, 3)
    width, height = rng.uniform(0.3, 0.37), rng.uniform(0.4, 0.47)
    middle = (0.5 + pose.turn / 3, 0.54 + pose.nod / 3)
    _paint_background(canvas, rng)
    long_hair = rng.random() < 0.5
    back = (width * rng.uniform(1.12, 1.35), height * (rng.uniform(1.1, 1.3) if long_hair else 1.05))
    canvas.paint(
        canvas.ellipse((middle[0], middle[1] - 0.05), back, pose.tilt), hair * canvas.texture(48, 0.25)
    )
    shoulders = rng.uniform(0.05, 0.8, 3)
    canvas.paint(canvas.ellipse((0.5, 1.12), (0.55, 0.22)), shoulders * canvas.texture(24, 0.15))
    canvas.paint(canvas.ellipse((middle[0], 0.92), (0.15, 0.2)), skin * 0.75)
    face = canvas.ellipse(middle, (width, height), pose.tilt, 0.05)
    canvas.paint(face, _lit_skin(canvas, skin, middle, (width, height), rng))
    fringe = canvas.ellipse(
        (middle[0] + rng.uniform(-0.1, 0.1), middle[1] - height), (width, rng.uniform(0.1, 0.24))
    )
    canvas.paint(fringe * face, hair * canvas.texture(48, 0.25))
    return _paint_features(canvas, pose, middle, width, skin, hair, rng)


def _paint_background(canvas: _Canvas, rng: np.random.Generator) -> None:
    base = rng.uniform(0.1, 0.9) + rng.uniform(-0.12, 0.12, 3)
    slope = rng.uniform(-0.3, 0.3, (2, 1)) + rng.uniform(-0.06, 0.06, (2, 3))
    gradient = canvas.across[..., None] * slope[0] + canvas.down[..., None] * slope[1]
    knots = int(rng.integers(3, 20))
    tint = rng.uniform(0.6, 1.4, 3)
    clutter = rng.uniform(0, 0.15) * tint * smooth_noise(canvas.side, knots, 1, rng)
    canvas.pixels = (base + gradient + clutter).astype(np.float32)


def _lit_skin(
    canvas: _Canvas,
    skin: np.ndarray,
    middle: tuple[float, float],
    radii: tuple[float, float],
    rng: np.random.Generator,
) -> Image:
    """Shade an ellipsoid by a light from anywhere in front (Lambert), with pores and blotches."""
    right, below = (canvas.across - middle[0]) / radii[0], (canvas.down - middle[1]) / radii[1]
    towards = np.sqrt(np.clip(1.3 - right**2 - below**2, 0.05, None))
    light = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.9, 0.3), 1.0])
    light /= np.linalg.norm(light)
    shade = (right * light[0] + below * light[1] + towards * light[2]) / np.sqrt(1.3)
    lit = rng.uniform(0.3, 0.5) + rng.uniform(0.55, 0.8) * np.clip(shade, 0, None)
    grain = canvas.texture(canvas.side // 2, rng.uniform(0.015, 0.04)) * canvas.texture(10, 0.03)
    shine = 0.15 * rng.random() * np.clip(shade, 0, 1) ** 12
    result: Image = (skin * lit[..., None] * grain + shine[..., None]).astype(np.float32)
    return result


def _paint_features(
    canvas: _Canvas,
    pose: _Pose,
    middle: tuple[float, float],
    width: float,
    skin: np.ndarray,
    hair: np.ndarray,
    rng: np.random.Generator,
) -> Layout:
    cosine, sine = np.cos(pose.tilt), np.sin(pose.tilt)

    def place(right: float, below: float) -> tuple[float, float]:
        right, below = right + pose.turn, below + pose.nod
        return middle[0] + right * cosine - below * sine, middle[1] + right * sine + below * cosine

    apart, eye_height = width * rng.uniform(0.42, 0.5), rng.uniform(-0.12, -0.08)
    eye, openness = rng.uniform(0.055, 0.075), rng.uniform(0.35, 0.6)
    iris = rng.uniform(0.05, 0.5, 3) * np.array([0.8, 0.9, 1.1])
    brow = rng.uniform(0.05, 0.09), rng.uniform(0.01, 0.022), rng.uniform(-0.2, 0.2)
    eyes = place(-apart, eye_height), place(apart, eye_height)
    for side, centre in zip((-1, 1), eyes, strict=True):
        canvas.paint(canvas.ellipse(centre, (eye * 1.5, eye), 0, 0.6) * 0.35, skin * 0.55)
        lids = canvas.ellipse(centre, (eye, eye * openness), pose.tilt, 0.15)
        canvas.paint(lids, np.full(3, rng.uniform(0.75, 0.92)))
        canvas.paint(canvas.ellipse(centre, (eye * 0.5, eye * 0.5), 0, 0.2) * lids, iris)
        canvas.paint(canvas.ellipse(centre, (eye * 0.22, eye * 0.22), 0, 0.2) * lids, np.full(3, 0.03))
        glint = (centre[0] - eye * 0.15, centre[1] - eye * 0.15)
        canvas.paint(canvas.ellipse(glint, (eye * 0.1, eye * 0.1)) * lids, np.full(3, 0.95))
        above = place(side * apart, eye_height - brow[0])
        angle = pose.tilt + side * brow[2]
        canvas.paint(canvas.ellipse(above, (eye * 1.35, brow[1]), angle, 0.5) * 0.85, hair * 0.7)
    nose = place(0, 0.06)
    canvas.paint(canvas.ellipse(place(0.012, 0), (0.03, 0.11), pose.tilt, 1.2) * 0.25, skin * 1.15)
    canvas.paint(canvas.ellipse(place(0, 0.095), (0.055, 0.022), pose.tilt, 0.9) * 0.4, skin * 0.5)
    mouth = place(0, rng.uniform(0.17, 0.21))
    _paint_mouth(canvas, mouth, pose.tilt, skin, rng)
    centre = place(0, 0.03)
    return Layout(eyes, mouth, nose, centre, (width * 0.82, 0.29))


def _paint_mouth(
    canvas: _Canvas, centre: tuple[float, float], tilt: float, skin: np.ndarray, rng: np.random.Generator
) -> None:
    wide, thick = rng.uniform(0.09, 0.14), rng.uniform(0.02, 0.035)
    lips = skin * np.array([1.0, 0.68, 0.68]) * rng.uniform(0.75, 0.95)
    open_by = max(0.0, rng.normal(0.0, 0.02))
    canvas.paint(canvas.ellipse(centre, (wide, thick + open_by), tilt, 0.25), lips)
    if open_by > 0.008:
        canvas.paint(
            canvas.ellipse(centre, (wide * 0.8, open_by), tilt, 0.3), np.full(3, rng.uniform(0.2, 0.85))
        )
    line = canvas.ellipse(centre, (wide * 0.95, 0.006), tilt, 0.8)
    canvas.paint(line * 0.7, lips * 0.4)


def _photographed(scene: Image, side: int, rng: np.random.Generator) -> Image:
    """Blur, reduce, add a sensor's grain as demosaicing spreads it, and compress."""
    blurred = cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.7, 1.3))
    image = cv2.resize(blurred, (side, side), interpolation=cv2.INTER_AREA)
    white: Image = np.asarray(rng.standard_normal(image.shape), np.float32)
    grain = 0.6 * white + 0.8 * cv2.GaussianBlur(white, (0, 0), 0.7)
    image = image + grain * rng.uniform(0.006, 0.016) * np.sqrt(np.clip(image, 0.05, 1))
    buffer = io.BytesIO()
    picture = PillowImage.fromarray((np.clip(image, 0, 1) * 255).round().astype(np.uint8))
    picture.save(buffer, "JPEG", quality=int(rng.integers(88, 98)))
    return np.asarray(PillowImage.open(buffer)).astype(np.float32) / 255
