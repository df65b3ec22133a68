"""Any image file to upright 8-bit RGB, or a reason why not."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
BACKGROUND = (255, 255, 255)
"""What shows through where an image is transparent."""


class Undecodable(Exception):
    """These bytes are no image that can be used; the message is a reason that a person understands."""


def decode(data: bytes, max_pixels: int) -> NDArray[np.uint8]:
    """Return the `(H, W, 3)` pixels of an image file, upright by its EXIF orientation.

    Sixteen bits are scaled to eight; transparency is laid over white; of an animation the first frame counts.

    Args:
        data: the whole file.
        max_pixels: larger images are refused by their header, before anything is decompressed.

    Raises:
        Undecodable: if it is empty, no image of a known format, too large, truncated or damaged.
    """
    with opened(data, max_pixels) as image:
        return _upright_rgb(image)


@contextmanager
def opened(data: bytes, max_pixels: int) -> Iterator[Image.Image]:
    """Give the image of a file; its pixels may be read inside the `with` alone.

    Args:
        data: the whole file.
        max_pixels: larger images are refused by their header, before anything is decompressed.

    Raises:
        Undecodable: as `decode`, also when the pixels that are read turn out to be damaged.
    """
    if not data:
        raise Undecodable("the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _refuse_too_large(image, max_pixels)
            yield image
    except UnidentifiedImageError as error:
        raise Undecodable("not an image of a known format") from error
    except Image.DecompressionBombError as error:
        raise Undecodable(f"too many pixels: {error}") from error
    # Filters of warnings belong to the process, not to the thread that decodes; where they make errors of
    # warnings, an image that Pillow warns of is refused.
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        IndexError,
        TypeError,
        struct.error,
        Warning,
    ) as error:
        raise Undecodable(f"damaged image: {error}") from error


def _refuse_too_large(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise Undecodable(f"too many pixels: {width} x {height}, at most {max_pixels} are read")
    if not width or not height:
        raise Undecodable("the image has no pixels")


def _upright_rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode == "L" and "transparency" not in image.info and not image.getexif():
        grey = np.asarray(image)
        return np.repeat(grey[:, :, None], 3, axis=2)
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(("I", "F")):
        return _from_deep_grey(upright)
    if "transparency" in upright.info or upright.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        over = upright.convert("RGBA")
        under = Image.new("RGBA", over.size, (*BACKGROUND, 255))
        upright = Image.alpha_composite(under, over)
    return np.array(upright.convert("RGB"))


def _from_deep_grey(image: Image.Image) -> NDArray[np.uint8]:
    """Scale 16-bit grey to 8 bits; Pillow itself would cut it off at 255."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise Undecodable("the pixels are not finite numbers")
    if values.min() < 0 or values.max() > 65535:
        raise Undecodable(f"grey values from {values.min():g} to {values.max():g}: 0 to 65535 is read")
    # A float image in [0, 1] is the custom of scientific TIFF files.
    full = 1.0 if image.mode.startswith("F") and values.max() <= 1 else 65535.0
    grey = np.rint(values * (255 / full)).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
