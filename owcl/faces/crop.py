"""Finding the face in a larger picture; found once, and cached by content."""

from __future__ import annotations

import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from owcl.faces.transforms import Box

MARGIN = 0.2
"""Share of the box's side that is added on every side."""


class FaceDetector(Protocol):
    """Finds faces."""

    name: str
    """Detector and version, part of the key of cached crops."""

    def detect(self, image: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return `(N, 4)` boxes as x, y, width and height in pixels of an `(H, W, 3)` image, best first."""
        ...


@dataclass(frozen=True)
class Crop:
    """What was cut out: the face, or the whole image where none was found."""

    image: NDArray[np.uint8]
    box: Box
    """Where it was in the whole image."""
    found: bool


class HaarDetector:
    """OpenCV's bundled frontal-face cascade: fast, needs no model file, misses profiles.

    Source:
        Viola and Jones, Rapid object detection using a boosted cascade of simple features, CVPR 2001.
    """

    name = "haar-frontal-1"

    def __init__(self) -> None:
        # A cascade keeps state while it detects, so every thread has its own.
        self._local = threading.local()

    def detect(self, image: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return `(N, 4)` boxes of an `(H, W, 3)` image, largest first."""
        import cv2

        grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        boxes = np.asarray(self._cascade().detectMultiScale(grey, 1.1, 5), np.int64).reshape(-1, 4)
        return boxes[np.argsort(-boxes[:, 2] * boxes[:, 3], kind="stable")]

    def _cascade(self) -> Any:
        import cv2

        if not hasattr(self._local, "cascade"):
            path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
            self._local.cascade = cv2.CascadeClassifier(str(path))
        return self._local.cascade


def crop_face(image: NDArray[np.uint8], detector: FaceDetector) -> Crop:
    """Cut the best face out of an `(H, W, 3)` image, as a square with a margin."""
    rows, columns = image.shape[:2]
    boxes = detector.detect(image)
    if not len(boxes):
        return Crop(image, (0, 0, columns, rows), found=False)
    x, y, width, height = boxes[0].tolist()
    half = round(max(width, height) * (0.5 + MARGIN))
    across, down = x + width // 2, y + height // 2
    top, left = max(down - half, 0), max(across - half, 0)
    bottom, right = min(down + half, rows), min(across + half, columns)
    return Crop(image[top:bottom, left:right], (left, top, right, bottom), found=True)


class CropCache:
    """Crops in a folder, as lossless PNG; it can be deleted at any time and comes back.

    Args:
        folder: made when the first crop is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, sha256: str, detector: FaceDetector) -> Crop | None:
        """Return the crop that was made of a content, if it is there and readable."""
        try:
            with Image.open(self._path(sha256, detector)) as image:
                left, top, right, bottom = map(int, image.info["box"].split())
                found = image.info["found"] == "yes"
                return Crop(np.array(image.convert("RGB")), (left, top, right, bottom), found)
        except (OSError, SyntaxError, ValueError, KeyError):
            return None

    def put(self, sha256: str, detector: FaceDetector, crop: Crop) -> None:
        """Keep a crop; readers see it as a whole or not at all."""
        path = self._path(sha256, detector)
        path.parent.mkdir(parents=True, exist_ok=True)
        note = PngImagePlugin.PngInfo()
        note.add_text("box", " ".join(map(str, crop.box)))
        note.add_text("found", "yes" if crop.found else "no")
        handle, fresh = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            Image.fromarray(np.ascontiguousarray(crop.image)).save(file, "PNG", pnginfo=note)
        os.replace(fresh, path)

    def _path(self, sha256: str, detector: FaceDetector) -> Path:
        return self.folder / f"{detector.name}-{MARGIN}" / sha256[:2] / f"{sha256}.png"
