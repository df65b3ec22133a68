"""`owcl queue`: the faces whose labels would help most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from owcl.engine.standing import standing
from owcl.engine.workspace import Workspace
from owcl.novelty.queue import most_useful
from owcl.types import MethodClass
from storage import classes, embeddings, experiences, faces

SPOKEN_FOR = ("label", "operator")
"""Grounds on which a face needs nobody's word any more."""


@dataclass(frozen=True)
class Question:
    """A face that an operator is asked about."""

    face_id: int
    source: str
    likeliest: MethodClass
    margin: float
    """By how much it is likelier than the second class, in [0, 1]."""


def queue(workspace: Workspace, budget: int) -> list[Question]:
    """Return faces of the latest experience that are in doubt and stand for many others, the best first.

    Raises:
        BadInput: if there is no model.
    """
    answer = workspace.answer()
    with workspace.store.reading() as transaction:
        latest = experiences.latest(transaction)
        present = standing(transaction)
        live = {entry.id: entry for entry in classes.live(transaction)}
        if latest is None or latest.labelled:
            return []
        recent = faces.in_experience(transaction, latest.index)
        embedded = np.setdiff1d(recent, embeddings.missing(transaction, answer.version, latest.index))
        spoken = np.array([origin in SPOKEN_FOR for origin in present.origins], bool)
        candidates = np.setdiff1d(embedded, present.face_ids[spoken])
        if not len(candidates):
            return []
        vectors = embeddings.read(transaction, answer.version, candidates).vectors
        everyone = embeddings.read(transaction, answer.version)
        sources = {face.id: face.source for face in faces.by_ids(transaction, candidates)}
    centres = {
        class_id: answer.exemplars[answer.exemplar_ids == class_id].mean(axis=0)
        for class_id in answer.class_ids.tolist()
        if class_id in live and (answer.exemplar_ids == class_id).any()
    }
    place = np.searchsorted(present.face_ids, everyone.face_ids)
    class_of = present.class_ids[np.minimum(place, len(present.face_ids) - 1)]
    for class_id in set(live) - set(centres):
        # Promoted since the model was trained: its members are the only word on it.
        mine = everyone.vectors[class_of == class_id]
        if len(mine):
            centres[class_id] = mine.mean(axis=0)
    ids = sorted(centres)
    found = most_useful(vectors, np.stack([centres[class_id] for class_id in ids]), budget)
    return [
        Question(int(candidates[row]), sources[int(candidates[row])], live[ids[best]], float(margin))
        for row, best, margin in zip(
            found.rows.tolist(), found.classes.tolist(), found.margins.tolist(), strict=True
        )
    ]
