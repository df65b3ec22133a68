"""The scenario `forge`: the arrival of new generators, simulated on one's own photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from owcl.errors import BadInput
from owcl.faces.load import Limits, LoadedFace, load
from owcl.faces.sources import expand
from scenarios.mechanisms.base import Layout, Subject
from scenarios.mechanisms.registry import mechanism
from scenarios.schedule import REAL
from scenarios.tree import Order, Progress, build_tree, face_rng, finished, orders_for

SMALLEST_COLLECTION = 20
SPARE = 1.3
"""Photographs are read this much larger than needed, so that every face is cut out a little differently."""
VERSION = 1


@dataclass(frozen=True)
class ForgedPhotographs:
    """Makes forgeries of photographs; each photograph serves every method alike.

    Args:
        sources: the photographs.
        seed: decides every face.
        size: pixels a side.
    """

    sources: tuple[str, ...]
    seed: int
    size: int

    def __call__(self, order: Order) -> NDArray[np.uint8]:
        """Return the `(S, S, 3)` face that is ordered."""
        rng = face_rng(self.seed, order)
        face = self.cut_out(int(order.group), rng)
        if order.method == REAL:
            return finished(face)
        # A donor of the same side of the test: the neighbour in the list would tell train from test.
        donor = self.cut_out(int(order.group), rng)[:, ::-1]
        return finished(mechanism(order.method)(Subject(face, Layout(), donor.copy(), Layout()), rng))

    def cut_out(self, photograph: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return an `(S, S, 3)` cut of a photograph in [0, 1], a little different and at times mirrored."""
        loaded = load(self.sources[photograph], int(self.size * SPARE * 2), Limits())
        assert isinstance(loaded, LoadedFace)
        pixels = loaded.pixels.astype(np.float32) / 255
        side = int(len(pixels) * rng.uniform(0.85, 1.0))
        top, left = rng.integers(0, len(pixels) - side + 1, 2)
        cut = pixels[top : top + side, left : left + side]
        if rng.random() < 0.5:
            cut = cut[:, ::-1]
        reduced = cv2.resize(cut, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return reduced.astype(np.float32)


def build(
    root: Path,
    faces: Path,
    seed: int = 0,
    size: int = 64,
    faces_per_method: int = 300,
    workers: int = 2,
    progress: Progress | None = None,
) -> Path:
    """Forge photographs into a folder, once.

    Args:
        root: where the scenario goes; see `scenarios.tree`.
        faces: a folder of photographs, each cropped to a face.
        seed: decides every face.
        size: pixels a side, even.
        faces_per_method: of each forgery; three times as many are real.
        workers: processes.
        progress: told of faces made, and how many there will be.

    Raises:
        BadInput: if there are fewer than 20 readable photographs, or something else is at `root`.
        Conflict: if a tree of other settings is there.
    """
    sources = photographs(faces, size)
    settings = {
        "name": "forge",
        "version": VERSION,
        "faces": str(faces.resolve()),
        "photographs": len(sources),
        "seed": seed,
        "size": size,
        "faces_per_method": faces_per_method,
    }
    orders = orders_for(faces_per_method, lambda _, index: str(index % len(sources)))
    return build_tree(root, settings, orders, ForgedPhotographs(sources, seed, size), workers, progress)


def photographs(faces: Path, size: int) -> tuple[str, ...]:
    """Return the readable photographs of a folder.

    Raises:
        BadInput: if there are fewer than 20.
    """
    found = [source for source in expand([faces]) if isinstance(source, str)]
    sources = tuple(source for source in found if isinstance(load(source, size, Limits()), LoadedFace))
    if len(sources) < SMALLEST_COLLECTION:
        raise BadInput(
            f"{faces}: {len(sources)} readable photographs. At least {SMALLEST_COLLECTION} are expected to "
            "make a scenario of. Add photographs that are cropped to the face."
        )
    return sources
