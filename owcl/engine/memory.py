"""Remembered and held-out faces, between the store and the learners."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import Connection

from owcl.engine.answer import Calibration
from owcl.memory.replay import LABELLED, OPERATOR_LABELLED, PSEUDO_LABELLED, Exemplars, ReplayMemory
from storage import classes, exemplars, faces, memberships, merges

_ORIGINS = {"pseudo": PSEUDO_LABELLED, "label": LABELLED, "operator": OPERATOR_LABELLED}
_WORDS = {number: word for word, number in _ORIGINS.items()}
REFERENCE = 100
"""Remembered faces of each class that set the scale of counting and that a cluster is compared with: about
as many as an arrival brings, whose density is measured by theirs."""
LARGEST_CALIBRATION = 250
"""Held-out faces used of each class; more would cost time at every update and hardly sharpen a rate."""

OPERATOR_REPEATS = 4
"""How often a face on an operator's word is drawn for each time that another one of its class is."""


def recall(transaction: Connection) -> Exemplars:
    """Return the remembered faces under the classes that they stand for today.

    Where a face belongs to a class, that class counts, and on whose word it does, whatever the face was
    remembered as; what was taken out of its class is no example of it any more.
    """
    rows = exemplars.read(transaction)
    face_ids = np.array([row.face_id for row in rows], np.int64)
    class_ids = merges.resolve_all(transaction, np.array([row.class_id for row in rows], np.int64))
    weights = np.array([row.weight for row in rows], np.float32)
    origins = origins_of([row.origin for row in rows])
    places = memberships.newest(transaction, face_ids)
    members = np.searchsorted(face_ids, places.face_ids)
    class_ids[members] = places.class_ids
    weights[members] = places.weights
    origins[members] = origins_of(places.origins)
    kept = np.flatnonzero(np.isin(class_ids, [entry.id for entry in classes.live(transaction)]))
    images = [_from_png(rows[index].png) for index in kept.tolist()]
    return Exemplars(
        face_ids[kept],
        np.stack(images) if images else np.empty((0, 3, 1, 1), np.uint8),
        class_ids[kept],
        weights[kept],
        origins[kept],
    )


def learned(transaction: Connection) -> dict[int, int]:
    """Return the remembered faces that were learned as a live class, or as one that stands for it today."""
    kept = exemplars.kept_as(transaction)
    class_ids = merges.resolve_all(transaction, np.array(list(kept.values()), np.int64))
    live = {entry.id for entry in classes.live(transaction)}
    found = zip(kept, class_ids.tolist(), strict=True)
    return {face_id: class_id for face_id, class_id in found if class_id in live}


def origins_of(words: Sequence[str]) -> NDArray[np.int8]:
    """Return as numbers, `(N,)`, on whose word faces belong to their classes; all guesses are one."""
    return np.array([_ORIGINS.get(word, PSEUDO_LABELLED) for word in words], np.int8)


def remember(transaction: Connection, kept: Exemplars) -> None:
    """Make `kept` all that is remembered."""
    gone = {row.face_id for row in exemplars.read(transaction)} - set(kept.face_ids.tolist())
    exemplars.remove(transaction, gone)
    exemplars.write(
        transaction,
        [
            exemplars.Exemplar(face_id, class_id, weight, _WORDS[origin], _to_png(image))  # type: ignore[arg-type]
            for face_id, class_id, weight, origin, image in zip(
                kept.face_ids.tolist(),
                kept.class_ids.tolist(),
                kept.weights.tolist(),
                kept.origins.tolist(),
                kept.images,
                strict=True,
            )
        ],
    )


def bounded(per_class: int, rng: np.random.Generator, *parts: Exemplars) -> Exemplars:
    """Return what a memory of `per_class` faces keeps of several sets of exemplars.

    Faces are kept at random: the arrival classifier compares the memory with what comes in, so the memory
    must look like what comes in, and neither like its middle nor like its fringe.
    """
    memory = ReplayMemory(per_class)
    for part in parts:
        memory.add(part, lambda candidates, count: np.sort(rng.permutation(len(candidates))[:count]))
    assert memory.exemplars is not None
    return memory.exemplars


def reference_sample(known: Exemplars, rng: np.random.Generator) -> Exemplars:
    """Return at most `REFERENCE` of the remembered faces of each class."""
    return bounded(REFERENCE, rng, known)


def operators_repeated(part: Exemplars) -> Exemplars:
    """Return the faces, those on an operator's word as many times as they are to be drawn for one other."""
    times = np.where(part.origins == OPERATOR_LABELLED, OPERATOR_REPEATS, 1)
    return part.take(np.repeat(np.arange(len(part)), times))


def held_out_faces(transaction: Connection) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return `(N,)` ids and classes of the calibration faces of live classes, those of each from all over it.

    What discovery recognised as more of a labelled class is none: it is no fair sample of it, if one at all.
    """
    written = memberships.as_written(transaction)
    active = memberships.resolved(transaction, written)
    living = classes.live(transaction)
    labelled = np.isin(written.class_ids, [entry.id for entry in living if entry.status == "known"])
    guessed = np.array([origin == "promotion" for origin in written.origins], bool)
    fair = np.isin(active.class_ids, [entry.id for entry in living]) & ~(labelled & guessed)
    face_ids, class_ids = active.face_ids[fair], active.class_ids[fair]
    chosen = faces.are_held_out(transaction, face_ids)
    kept = [_spread(np.flatnonzero(chosen & (class_ids == class_id))) for class_id in np.unique(class_ids)]
    rows = np.sort(np.concatenate([np.empty(0, np.int64), *kept]))
    return face_ids[rows], class_ids[rows]


def _spread(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return at most `LARGEST_CALIBRATION` of the rows: the first ones alone might be of a single video."""
    count = min(len(rows), LARGEST_CALIBRATION)
    return rows[np.arange(count) * len(rows) // max(count, 1)]


def calibration(
    face_ids: NDArray[np.int64],
    class_ids: NDArray[np.int64],
    present: NDArray[np.int64],
    images: NDArray[np.uint8],
) -> Calibration:
    """Join the classes of calibration faces with those of their images that could be read."""
    class_of = dict(zip(face_ids.tolist(), class_ids.tolist(), strict=True))
    return Calibration(images, np.array([class_of[face_id] for face_id in present.tolist()], np.int64))


def _to_png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _from_png(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).transpose(2, 0, 1)
