"""What becomes of a face that somebody posts again: resized, perhaps blurred, compressed."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from owcl.faces.transforms import resize_once


def reposted(face: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
    """Resize by 0.75 to 1.25, blur every second face a little, and compress as a JPEG of quality 60 to 95.

    Args:
        face: `(H, W, 3)`.
        rng: draws scale, blur and quality.
    """
    height, width = face.shape[:2]
    scale = rng.uniform(0.75, 1.25)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    resized = cv2.resize(face, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        resized = cv2.GaussianBlur(resized, (0, 0), rng.uniform(0.3, 0.7))
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(resized, np.uint8)).save(buffer, "JPEG", quality=int(rng.integers(60, 96)))
    return buffer.getvalue()


def reposted_views(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return `(N, 3, S, S)` faces as they would come in if somebody posted them again."""
    views = np.empty_like(images)
    for number, image in enumerate(images):
        with Image.open(io.BytesIO(reposted(image.transpose(1, 2, 0), rng))) as file:
            views[number] = resize_once(np.asarray(file), images.shape[2]).transpose(2, 0, 1)
    return views
