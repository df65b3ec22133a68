"""Changed copies of faces: posted again by somebody, or made by the next version of the same generator."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from owcl.faces.decode import Undecodable, decode
from owcl.faces.load import Limits
from owcl.faces.reposting import reposted

VERSION = 1
"""Raised when the same face gives other copies."""
Change = Callable[[NDArray[np.uint8], np.random.Generator], bytes]
"""Makes the file of a copy of an `(H, W, 3)` face."""

_UP_SAMPLING = np.array([[0.01, 0.05, 0.01], [0.09, 0.7, 0.07], [0.01, 0.05, 0.01]], np.float32)
_PHASE_GAIN = 0.006


def second_version(face: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
    """Pass the face through another last up-sampling layer: a fixed filter, and a faint grid of two pixels.

    It is what retraining or a new release changes of a generator's traces, while everything else stays; it is
    the same for every face, so that nothing is drawn.
    """
    filtered = cv2.filter2D(face.astype(np.float32), -1, _UP_SAMPLING, borderType=cv2.BORDER_REFLECT_101)
    gain = np.ones(face.shape[:2], np.float32)
    gain[::2, 1::2] += _PHASE_GAIN
    gain[1::2, ::2] -= _PHASE_GAIN
    finished = np.clip(np.rint(filtered * gain[:, :, None]), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(finished).save(buffer, "PNG")
    return buffer.getvalue()


def copies(paths: Iterable[Path], folder: Path, change: Change, seed: int) -> dict[Path, Path]:
    """Write a changed copy of every face into a folder, and return where.

    A copy is decided by the face's content and the seed, and one that is there already is kept. What is no
    image is copied as it is, and what cannot be read is its own copy, so that it meets the same end as its
    original.

    Args:
        paths: of the faces.
        folder: made if need be; copies that other changes made do not mix with these.
        change: what happens to a face.
        seed: of everything that is drawn.
    """
    place = Path(os.path.abspath(folder)) / f"{change.__name__}-{VERSION}-{seed}"
    place.mkdir(parents=True, exist_ok=True)
    return {path: _copy(path, place, change, seed) for path in paths}


def _copy(path: Path, place: Path, change: Change, seed: int) -> Path:
    try:
        data = path.read_bytes()
    except OSError:
        return path
    sha256 = hashlib.sha256(data).hexdigest()
    copy = place / f"{sha256}.{'jpg' if change is reposted else 'png'}"
    if not copy.exists():
        try:
            rng = np.random.default_rng([seed, int(sha256[:16], 16)])
            data = change(decode(data, Limits().max_pixels), rng)
        except Undecodable:
            pass
        unfinished = copy.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(data)
        unfinished.replace(copy)
    return copy
