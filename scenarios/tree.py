"""Writing a scenario as a tree of method folders: as a whole or not at all, and once."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from owcl.errors import BadInput, Conflict
from scenarios.folder import MANIFEST, PLAN_FILE
from scenarios.mechanisms.registry import METHODS, PLAN_KNOWN, PLAN_NOVEL
from scenarios.schedule import REAL

OrderT = TypeVar("OrderT")
MakeT = TypeVar("MakeT")
RowT = TypeVar("RowT")

MARKER = "built.json"
CHUNK = 20
Progress = Callable[[int, int], None]
MakeFace = Callable[["Order"], NDArray[np.uint8]]
"""Makes the `(S, S, 3)` image that an order asks for; must be picklable."""


@dataclass(frozen=True)
class Order:
    """One face to make."""

    method: str
    index: int
    group: str
    """What it is made from: faces of one group stay on one side of the test."""


def build_tree(
    root: Path,
    settings: Mapping[str, Any],
    orders: list[Order],
    make: MakeFace,
    workers: int = 2,
    progress: Progress | None = None,
) -> Path:
    """Make the faces and write `faces/<method>/*.png`, `manifest.csv` and `stream.toml`.

    A tree that was made with the same settings is left as it is; one that was left half-made is not there,
    since it is built beside its place and moved when it is whole.

    Args:
        root: where the tree goes.
        settings: everything that decides its content.
        orders: what to make.
        make: makes one face.
        workers: processes.
        progress: told of faces made, and how many there will be.

    Raises:
        BadInput: if there is something else at `root`.
        Conflict: if there is a tree of other settings.
    """
    with built_once(root, settings) as fresh:
        if fresh is None:
            return root
        for method in dict.fromkeys(order.method for order in orders):
            (fresh / "faces" / method).mkdir(parents=True)
        rows = list(made(fresh, orders, _write_face, make, workers, progress))
        with (fresh / MANIFEST).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "method", "family", "sha256", "group"])
            writer.writerows(rows)
        (fresh / PLAN_FILE).write_text(_plan(settings), encoding="utf-8")
    return root


@contextmanager
def built_once(root: Path, settings: Mapping[str, Any]) -> Iterator[Path | None]:
    """Give a fresh folder to build in, which takes its place when it is whole.

    Args:
        root: the place.
        settings: everything that decides the content.

    Yields:
        The folder, or nothing where a tree of the same settings is there already.

    Raises:
        BadInput: if there is something else at `root`.
        Conflict: if there is a tree of other settings; somebody may still use its faces.
    """
    if (root / MARKER).exists():
        _refuse_other(root, json.loads((root / MARKER).read_text(encoding="utf-8")), settings)
        yield None
        return
    if root.exists() and any(root.iterdir()):
        raise BadInput(f"{root}: there is something here already. An empty or new folder is expected.")
    fresh = root.with_name(f".{root.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        yield fresh
        (fresh / MARKER).write_text(json.dumps(dict(settings)), encoding="utf-8")
        if root.exists():
            root.rmdir()
        fresh.rename(root)
    finally:
        # Moved when it is whole; what an error or an interrupt left of it would stay for ever.
        shutil.rmtree(fresh, ignore_errors=True)


def _refuse_other(root: Path, present: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    differing = [name for name in {**present, **wanted} if present.get(name) != wanted.get(name)]
    if differing:
        here, asked = (
            ", ".join(f"{name} {one.get(name)}" for name in differing) for one in (present, wanted)
        )
        raise Conflict(
            f"{root}: the faces here were made with {here}, and {asked} was asked for. Choose another "
            "folder, or remove this one first if nothing needs its faces any more."
        )


def orders_for(faces_per_method: int, groups: Callable[[str, int], str]) -> list[Order]:
    """Return what the default stream needs: three times as many real faces as of each method."""
    methods = [*PLAN_KNOWN, *(method for novel in PLAN_NOVEL for method in novel)]
    return [
        Order(method, index, groups(method, index))
        for method in methods
        for index in range(faces_per_method * (3 if method == REAL else 1))
    ]


def face_rng(seed: int, order: Order) -> np.random.Generator:
    """Return the randomness of one face, whatever was made before it and in which process."""
    method = int.from_bytes(hashlib.sha256(order.method.encode()).digest()[:4], "big")
    return np.random.default_rng(np.random.SeedSequence([seed, method, order.index]))


def finished(image: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Turn an image in [0, 1] into bytes; the last step of every class, real faces included."""
    finished: NDArray[np.uint8] = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    return finished


def made(
    folder: Path,
    orders: Sequence[OrderT],
    write: Callable[[Path, OrderT, MakeT], RowT],
    make: MakeT,
    workers: int,
    progress: Progress | None,
) -> Iterator[RowT]:
    """Yield what `write(folder, order, make)` returns for every order, in order, from several processes."""
    chunks = [orders[start : start + CHUNK] for start in range(0, len(orders), CHUNK)]
    # Forking a process that holds threads of numerical libraries can hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        done = 0
        for rows in pool.map(partial(_write_chunk, folder, write, make), chunks):
            yield from rows
            done += len(rows)
            if progress is not None:
                progress(done, len(orders))


def _write_chunk(
    folder: Path, write: Callable[[Path, OrderT, MakeT], RowT], make: MakeT, orders: Sequence[OrderT]
) -> list[RowT]:
    return [write(folder, order, make) for order in orders]


def _write_face(folder: Path, order: Order, make: MakeFace) -> tuple[str, str, str, str, str]:
    name = f"faces/{order.method}/{order.index:04d}.png"
    Image.fromarray(make(order)).save(folder / name)
    sha256 = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    family = REAL if order.method == REAL else METHODS[order.method][0]
    return name, order.method, family, sha256, order.group


def _plan(settings: Mapping[str, Any]) -> str:
    per_method = int(settings["faces_per_method"])
    # A quarter is for the test; half arrives at once, and what is left comes back later.
    novel_per_class, seen_per_class = per_method // 2, max(2, per_method // 20)
    lines = [
        f"name = {json.dumps(settings['name'])}",
        f"image_size = {settings['size']}",
        "test_fraction = 0.25",
        f"seed = {settings['seed']}",
        f"known = {json.dumps(list(PLAN_KNOWN))}",
        "labelled_fraction = 0.6",
    ]
    for novel in PLAN_NOVEL:
        lines += [
            "",
            "[[experience]]",
            f"novel = {json.dumps(list(novel))}",
            f"novel_per_class = {novel_per_class}",
            f"seen_per_class = {seen_per_class if novel else seen_per_class + seen_per_class // 4}",
        ]
    return "\n".join(lines) + "\n"
