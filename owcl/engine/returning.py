"""Faces of discovered classes that come back, and make a class firmer that few faces founded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sqlalchemy import Connection

from owcl.engine.candidates import collecting
from owcl.engine.workspace import Workspace
from owcl.memory.replay import PSEUDO_LABELLED, SMALLEST_WEIGHT, Exemplars
from owcl.types import Attributions
from storage import attributions, classes, faces, memberships


def returned_faces(
    workspace: Workspace, experience: int, remembered: Exemplars, rng: np.random.Generator
) -> Exemplars:
    """Return faces of an experience by which discovered classes are to be remembered as well.

    They are those that discovery recognised as more of such a class, and those that the model took for it
    when they came in. A class that is remembered by as many faces as there is room for needs none. Another
    takes in as many at once as it has at the most, so that what vouches for it is not outnumbered by what
    follows from it. What a person took out of a class, what waits to become another one and what is held out
    makes no class firmer.

    It is for experiences in which no class is to be learned: the model that saw the faces first did not know
    one that arrived with them, and may have taken its faces for an older one's.

    Args:
        workspace: whose faces they are.
        experience: that they came in with.
        remembered: all faces that are, under the classes that they stand for today.
        rng: chooses among more faces than there is room for.

    Returns:
        Pseudo-labelled faces, weighted as members are, or by the probability that they had at first sight.
    """
    with workspace.store.reading() as transaction:
        rooms = _rooms(transaction, remembered, workspace.configuration.memory.per_class)
        if not rooms:
            return remembered.take(np.empty(0, np.int64))
        found = _found(transaction, experience)
        held_out = faces.are_held_out(transaction, found.face_ids)
        claimed = np.union1d(remembered.face_ids, collecting(transaction))
    free = ~held_out & ~np.isin(found.face_ids, claimed) & (found.probabilities >= SMALLEST_WEIGHT)
    chosen = [
        rng.permutation(np.flatnonzero(free & (found.class_ids == class_id)))[:room]
        for class_id, room in rooms.items()
    ]
    rows = np.sort(np.concatenate(chosen))
    face_ids, images = workspace.pixels(found.face_ids[rows])
    rows = rows[np.isin(found.face_ids[rows], face_ids)]
    weights = found.probabilities[rows].astype(np.float32)
    origins = np.full(len(rows), PSEUDO_LABELLED, np.int8)
    return Exemplars(face_ids, images, found.class_ids[rows], weights, origins)


def _rooms(transaction: Connection, remembered: Exemplars, per_class: int) -> dict[int, int]:
    """Return how many faces each discovered class may take in, by id; full classes are left out."""
    rooms = {}
    for entry in classes.live(transaction):
        present = int((remembered.class_ids == entry.id).sum())
        if entry.status != "known" and 0 < present < per_class:
            rooms[entry.id] = min(present, per_class - present)
    return rooms


def _found(transaction: Connection, experience: int) -> Attributions:
    """Return first sight of an experience; where a face is or was in a class, that counts instead."""
    found = attributions.resolved(transaction, attributions.first_sight(transaction, experience))
    places = memberships.newest(transaction, found.face_ids)
    rows = np.searchsorted(found.face_ids, places.face_ids)
    class_ids, probabilities = found.class_ids.copy(), found.probabilities.copy()
    class_ids[rows], probabilities[rows] = places.class_ids, places.weights
    return replace(found, class_ids=class_ids, probabilities=probabilities)
