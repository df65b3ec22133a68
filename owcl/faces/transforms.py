"""The one resize between a face and the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def resize_once(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return the `(size, size, 3)` middle of an `(H, W, 3)` image.

    Resampling wipes out the traces of generators, so an image of the right size is left alone, and any
    other is resampled exactly once: its central square, by area averaging (which keeps the spectrum below
    the new limit) when it shrinks, bicubically when it grows.
    """
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    if side == size:
        return square
    method = Image.Resampling.BOX if side > size else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(np.ascontiguousarray(square)).resize((size, size), method))
