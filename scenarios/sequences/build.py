"""Edited faces as a tree in the layout of Seq-DeepFake, with masks beside the images."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from scenarios.forge.build import ForgedPhotographs, photographs
from scenarios.layouts.seqdeepfake import SPLITS, sequence_folder
from scenarios.mechanisms.base import Layout, Subject
from scenarios.rendered.face import render
from scenarios.sequences.edits import COMPONENTS, edited
from scenarios.tree import Progress, built_once, finished, made

TRACK = "facial_components"
SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
GENUINE_SHARE = 0.25
VERSION = 1
MakeSubject = Callable[["Order", np.random.Generator], Subject]
"""Makes a face and a donor; must be picklable."""


@dataclass(frozen=True)
class Order:
    """One face to make."""

    split: str
    index: int
    """Among all faces."""
    row: tuple[int, ...]
    """The sequence, then zeros."""


@dataclass(frozen=True)
class RenderedSubjects:
    """People who are drawn anew for every face, so that those of the test are met nowhere else."""

    size: int

    def __call__(self, order: Order, rng: np.random.Generator) -> Subject:
        """Return the subject of an order."""
        return Subject(*render(self.size, rng), *render(self.size, rng))


@dataclass(frozen=True)
class Photographed:
    """People of photographs, each in one split."""

    cuts: ForgedPhotographs

    def __call__(self, order: Order, rng: np.random.Generator) -> Subject:
        """Return the subject of an order."""
        bounds = np.cumsum([0, *SHARES.values()]) * len(self.cuts.sources)
        split = SPLITS.index(order.split)
        mine = np.arange(round(bounds[split]), round(bounds[split + 1]))
        face, donor = rng.choice(mine, 2, replace=False).tolist()
        return Subject(self.cuts.cut_out(face, rng), Layout(), self.cuts.cut_out(donor, rng), Layout())


def build(
    root: Path,
    faces: Path | None = None,
    seed: int = 0,
    size: int = 64,
    count: int = 6000,
    workers: int = 2,
    progress: Progress | None = None,
) -> Path:
    """Make edited faces, once.

    Every order of every number of edits is as likely as any other, so that the set does not tell the order.

    Args:
        root: where the tree goes; see `scenarios.layouts.seqdeepfake`.
        faces: photographs to edit, cropped to the face; rendered faces where there are none.
        seed: decides every face.
        size: pixels a side, even.
        count: faces, of which 7 in 10 are for training, 1 for validation and 2 for the test.
        workers: processes.
        progress: told of faces made, and how many there will be.

    Raises:
        BadInput: if there are fewer than 20 readable photographs, or something else is at `root`.
        Conflict: if a tree of other settings is there.
    """
    sources = () if faces is None else photographs(faces, size)
    make: MakeSubject = RenderedSubjects(size)
    if sources:
        make = Photographed(ForgedPhotographs(sources, seed, size))
    settings = {
        "name": "sequences",
        "version": VERSION,
        "faces": None if faces is None else str(faces.resolve()),
        "photographs": len(sources),
        "seed": seed,
        "size": size,
        "count": count,
    }
    with built_once(root, settings) as fresh:
        if fresh is None:
            return root
        rows = made(fresh, _orders(count, seed), _write, (make, seed), workers, progress)
        annotations = fresh / TRACK / "annotations"
        annotations.mkdir(parents=True)
        _write_annotations(annotations, list(rows))
    return root


def _orders(count: int, seed: int) -> list[Order]:
    rng = np.random.default_rng(seed)
    orders = []
    for index in range(count):
        split = SPLITS[int(np.searchsorted(np.cumsum(list(SHARES.values())), (index + 0.5) / count))]
        length = 0 if rng.random() < GENUINE_SHARE else int(rng.integers(1, len(COMPONENTS) + 1))
        sequence = (rng.permutation(len(COMPONENTS))[:length] + 1).tolist()
        orders.append(Order(split, index, (*sequence, *[0] * (len(COMPONENTS) - length))))
    return orders


def _write(root: Path, order: Order, how: tuple[MakeSubject, int]) -> tuple[str, str, str]:
    """Write an image and its mask, and return its split, path and label."""
    make, seed = how
    rng = np.random.default_rng(np.random.SeedSequence([seed, order.index]))
    image, mask = edited(make(order, rng), [label for label in order.row if label], rng)
    folder = f"{order.split}/{sequence_folder(order.row, COMPONENTS)}"
    path = f"{TRACK}/images/{folder}/{order.index:06d}.png"
    for name, pixels in ((path, finished(image)), (f"{TRACK}/masks/{folder}/{order.index:06d}.png", mask)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / name)
    return order.split, path, str(list(order.row))


def _write_annotations(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    for split in SPLITS:
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["file_path", "label"])
            writer.writerows((path, label) for of, path, label in rows if of == split)
