"""From a source to a face of the right size, or to a reason for quarantine; many at a time, ahead of need."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from owcl.faces.crop import Crop, CropCache, FaceDetector, crop_face
from owcl.faces.decode import Undecodable, decode, opened
from owcl.faces.sources import SourceReader, Unreadable
from owcl.faces.transforms import Box, central_square, resize_once
from owcl.types import Quarantined

AHEAD = 256
"""Faces that are decoded before they are asked for; bounds the memory."""
CHUNK = 16
"""Files for a thread at a time; handing over single small files would cost more than decoding them."""
FLAT = 8
"""Levels, of 256, by which every colour channel varies less in an image that shows nothing."""


@dataclass(frozen=True)
class Limits:
    """What is too much to read."""

    max_bytes: int = 100_000_000
    max_pixels: int = 100_000_000


@dataclass(frozen=True)
class LoadedFace:
    """A face ready for the model."""

    source: str
    sha256: str
    """Of the file's content."""
    pixels: NDArray[np.uint8]
    """`(S, S, 3)`."""
    size: tuple[int, int]
    """Width and height of the upright image, in pixels."""
    face_found: bool | None
    """None where nobody looked."""
    box: Box
    """The part of the upright image that the pixels show."""


def load(
    source: str | Quarantined,
    size: int,
    limits: Limits,
    detector: FaceDetector | None = None,
    cache: CropCache | None = None,
) -> LoadedFace | Quarantined:
    """Read, hash, decode, crop where a detector is given, and resize one image; never raises for a bad one.

    An image of one colour is a bad one: a model would have to give it to some class, as though it were a face.

    Args:
        source: as `expand` yields it; what is in quarantine already stays there.
        size: pixels a side.
        limits: larger files are put into quarantine.
        detector: finds the face; none for images that are face crops already.
        cache: keeps crops, if there is a detector.
    """
    with SourceReader() as reader:
        return _load(source, size, limits, reader, detector, cache)


def _load(
    source: str | Quarantined,
    size: int,
    limits: Limits,
    reader: SourceReader,
    detector: FaceDetector | None,
    cache: CropCache | None,
) -> LoadedFace | Quarantined:
    if isinstance(source, Quarantined):
        return source
    try:
        data = reader.read_bytes(source, limits.max_bytes)
    except Unreadable as error:
        return Quarantined(source, None, str(error))
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        image = decode(data, limits.max_pixels)
    except Undecodable as error:
        return Quarantined(source, sha256, str(error))
    height, width = image.shape[:2]
    box, found = (0, 0, width, height), None
    if detector is not None:
        crop = _cropped(image, sha256, detector, cache)
        image, box, found = crop.image, crop.box, crop.found
    pixels = resize_once(image, size)
    if np.ptp(pixels, axis=(0, 1)).max() < FLAT:
        return Quarantined(source, sha256, "the image shows nothing: all of its pixels have one colour")
    return LoadedFace(source, sha256, pixels, (width, height), found, central_square(box))


def load_many(
    sources: Iterable[str | Quarantined],
    size: int,
    limits: Limits,
    workers: int = 2,
    detector: FaceDetector | None = None,
    cache: CropCache | None = None,
) -> Iterator[LoadedFace | Quarantined]:
    """Yield `load` of every source, in order, decoded ahead by `workers` threads."""
    # An archive is opened once a thread: its directory takes longer to read than most members.
    here = threading.local()

    def load_chunk(chunk: list[str | Quarantined]) -> list[LoadedFace | Quarantined]:
        if not hasattr(here, "reader"):
            here.reader = readers.enter_context(SourceReader())
        return [_load(source, size, limits, here.reader, detector, cache) for source in chunk]

    waiting: deque[Future[list[LoadedFace | Quarantined]]] = deque()
    with ExitStack() as readers, ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        try:
            for chunk in _chunks(sources):
                waiting.append(pool.submit(load_chunk, chunk))
                if len(waiting) * CHUNK >= AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def batched(
    results: Iterable[LoadedFace | Quarantined], size: int
) -> Iterator[list[LoadedFace | Quarantined]]:
    """Yield the results in lists of `size`, the last one with what is left."""
    iterator = iter(results)
    while batch := list(islice(iterator, size)):
        yield batch


def stacked(faces: Sequence[LoadedFace], size: int) -> NDArray[np.uint8]:
    """Return the `(N, 3, size, size)` pixels of faces of that size; there may be none."""
    images = np.empty((len(faces), size, size, 3), np.uint8)
    for row, face in enumerate(faces):
        images[row] = face.pixels
    return images.transpose(0, 3, 1, 2)


def load_mask(path: Path, face: LoadedFace, limits: Limits) -> NDArray[np.bool_] | Quarantined:
    """Return where the mask of an image is not zero, `(S, S)`, or why it cannot be read.

    Args:
        path: of the mask, which covers the whole image; it may be smaller or larger.
        face: as it was loaded; the mask is cut and resized as it was.
        limits: larger files are refused.
    """
    size = len(face.pixels)
    try:
        with SourceReader() as reader:
            data = reader.read_bytes(str(path), limits.max_bytes)
        with opened(data, limits.max_pixels) as mask:
            whole = mask.resize(face.size, Image.Resampling.NEAREST)
            return np.asarray(whole.resize((size, size), Image.Resampling.NEAREST, box=face.box)) > 0
    except (Unreadable, Undecodable) as error:
        return Quarantined(str(path), None, str(error))


def _cropped(image: NDArray[np.uint8], sha256: str, detector: FaceDetector, cache: CropCache | None) -> Crop:
    if cache is None:
        return crop_face(image, detector)
    crop = cache.get(sha256, detector)
    if crop is None:
        crop = crop_face(image, detector)
        cache.put(sha256, detector, crop)
    return crop


def _chunks(sources: Iterable[str | Quarantined]) -> Iterator[list[str | Quarantined]]:
    chunk: list[str | Quarantined] = []
    for source in sources:
        chunk.append(source)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
