"""The one resize between a face and the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; right and bottom are the first that do not belong to it."""


def central_square(box: Box) -> Box:
    """Return the largest square in the middle of a box."""
    left, top, right, bottom = box
    side = min(right - left, bottom - top)
    left, top = left + (right - left - side) // 2, top + (bottom - top - side) // 2
    return left, top, left + side, top + side


def resize_once(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return the `(size, size, 3)` middle of an `(H, W, 3)` image.

    Resampling wipes out the traces of generators, so an image of the right size is left alone, and any
    other is resampled exactly once: its central square, by area averaging (which keeps the spectrum below
    the new limit) when it shrinks, bicubically when it grows.
    """
    height, width = image.shape[:2]
    left, top, right, bottom = central_square((0, 0, width, height))
    square = image[top:bottom, left:right]
    if len(square) == size:
        return square
    method = Image.Resampling.BOX if len(square) > size else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(np.ascontiguousarray(square)).resize((size, size), method))
