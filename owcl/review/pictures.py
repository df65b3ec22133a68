"""Pictures of faces for the browser: always decoded and encoded anew, so that no original byte reaches it."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from owcl.engine.localise import under_heat
from owcl.engine.workspace import Workspace
from owcl.errors import NotFound
from owcl.faces.spectrum import residuals

TILE = 96
"""Pixels a side of a face in a sprite."""
ACROSS = 8
"""Faces of a row of a sprite."""
LARGEST_SPRITE = 64
"""Faces of a sprite."""
LARGE = 256
"""Pixels a side of a single face."""
GAIN = 8
"""By how much a residual is amplified."""
MOST_OF_CLASS = 128
"""Faces whose residuals and spectra are averaged."""


class Incomplete(Exception):
    """Files of faces are gone, and may come back: what was drawn without them is not to be kept."""

    def __init__(self, drawn: bytes) -> None:
        super().__init__("files of faces are gone")
        self.drawn = drawn


def sprite(workspace: Workspace, face_ids: Sequence[int]) -> bytes:
    """Return a JPEG of faces side by side, row by row.

    Raises:
        Incomplete: if files are gone; their faces are left blank in what was drawn.
    """
    found, images = workspace.pixels(np.array(face_ids, np.int64))
    place = {face_id: position for position, face_id in enumerate(face_ids)}
    rows = -(-len(face_ids) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * TILE, rows * TILE), (128, 128, 128))
    for face_id, image in zip(found.tolist(), images, strict=True):
        down, across = divmod(place[face_id], ACROSS)
        tile = Image.fromarray(image.transpose(1, 2, 0)).resize((TILE, TILE), Image.Resampling.BICUBIC)
        sheet.paste(tile, (across * TILE, down * TILE))
    encoded = _encoded(sheet, "JPEG", quality=88)
    if len(found) < len(face_ids):
        raise Incomplete(encoded)
    return encoded


def face(workspace: Workspace, face_id: int, kind: str) -> bytes:
    """Return a PNG of a face, of its amplified residual or of its spectrum.

    Raises:
        NotFound: if its file is gone.
    """
    return of_class(workspace, np.array([face_id], np.int64), kind)


def of_class(workspace: Workspace, face_ids: NDArray[np.int64], kind: str) -> bytes:
    """Return a PNG of the mean residual or spectrum of a class.

    Raises:
        NotFound: if no file of it is there.
    """
    step = max(1, len(face_ids) // MOST_OF_CLASS)
    _, images = workspace.pixels(face_ids[::step][:MOST_OF_CLASS])
    if not len(images):
        raise NotFound("picture: the file is no longer where it was ingested from.")
    return drawn(images, kind)


def drawn(images: NDArray[np.uint8], kind: str) -> bytes:
    """Return a PNG of `(N, 3, S, S)` faces' mean: the `face`, its `residual`, or its `spectrum`."""
    if kind == "face":
        picture = images.astype(np.float32).mean(axis=0).transpose(1, 2, 0)
    elif kind == "residual":
        picture = 128 + GAIN * residuals(images).mean(axis=0).transpose(1, 2, 0)
    else:
        picture = _spectrum(images)
    whole = Image.fromarray(np.clip(picture, 0, 255).round().astype(np.uint8))
    return _encoded(whole.resize((LARGE, LARGE), Image.Resampling.NEAREST), "PNG")


def heat(image: NDArray[np.uint8], where: NDArray[np.float32]) -> bytes:
    """Return a PNG of a `(3, S, S)` face under its `(S, S)` heat."""
    painted = Image.fromarray(under_heat(image.transpose(1, 2, 0), where))
    return _encoded(painted.resize((LARGE, LARGE), Image.Resampling.NEAREST), "PNG")


def _spectrum(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean log magnitude of the residuals' Fourier transform, zero frequency in the middle.

    Up-sampling leaves a grid of peaks in it (Zhang, Karaman and Chang, WIFS 2019).
    """
    transformed = np.fft.fftshift(np.fft.fft2(residuals(images).mean(axis=1)), axes=(1, 2))
    magnitude = np.log1p(np.abs(transformed)).mean(axis=0)
    low, high = np.percentile(magnitude, (1, 99.8))
    scaled: NDArray[np.float32] = (255 * (magnitude - low) / max(high - low, 1e-6)).astype(np.float32)
    return scaled


def _encoded(picture: Image.Image, kind: str, **settings: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **settings)
    return buffer.getvalue()
