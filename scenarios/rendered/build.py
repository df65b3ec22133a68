"""The scenario `rendered`: made by numbers alone, no download, the same for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenarios.mechanisms.base import Subject
from scenarios.mechanisms.registry import mechanism
from scenarios.rendered.face import render
from scenarios.schedule import REAL
from scenarios.tree import Order, Progress, build_tree, face_rng, finished, orders_for

VERSION = 1
"""Raised when the same seed gives other pictures."""


@dataclass(frozen=True)
class RenderedFaces:
    """Makes faces of people who are drawn anew for every face, so that who it is tells nothing.

    Args:
        seed: decides every face.
        size: pixels a side.
    """

    seed: int
    size: int

    def __call__(self, order: Order) -> NDArray[np.uint8]:
        """Return the `(S, S, 3)` face that is ordered."""
        rng = face_rng(self.seed, order)
        face, layout = render(self.size, rng)
        if order.method == REAL:
            return finished(face)
        donor, donor_layout = render(self.size, rng)
        return finished(mechanism(order.method)(Subject(face, layout, donor, donor_layout), rng))


def build(
    root: Path,
    seed: int = 0,
    size: int = 64,
    faces_per_method: int = 300,
    workers: int = 2,
    progress: Progress | None = None,
) -> Path:
    """Render the scenario into a folder, once.

    Args:
        root: where it goes; see `scenarios.tree`.
        seed: decides every face.
        size: pixels a side, even.
        faces_per_method: of each forgery; three times as many are real.
        workers: processes.
        progress: told of faces made, and how many there will be.

    Raises:
        BadInput: if something else is at `root`.
        Conflict: if a tree of other settings is there.
    """
    settings = {
        "name": "rendered",
        "version": VERSION,
        "seed": seed,
        "size": size,
        "faces_per_method": faces_per_method,
    }
    orders = orders_for(faces_per_method, lambda method, index: f"{method}-{index}")
    return build_tree(root, settings, orders, RenderedFaces(seed, size), workers, progress)
