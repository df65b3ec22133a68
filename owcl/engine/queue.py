"""`owcl queue`: the faces whose labels would help most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from owcl.engine.answer import Answer
from owcl.engine.standing import standing
from owcl.engine.workspace import Workspace
from owcl.memory.analytic import AnalyticHead
from owcl.novelty.queue import most_useful
from owcl.types import UNKNOWN, MethodClass
from storage import classes, embeddings, experiences, faces

SPOKEN_FOR = ("label", "operator")
"""Grounds on which a face needs nobody's word any more."""


@dataclass(frozen=True)
class Question:
    """A face that an operator is asked about."""

    face_id: int
    source: str
    stands_in: MethodClass | None
    """The class it is in now; none for a face that none claims."""
    looks_like: MethodClass | None
    """The likeliest other class; none where there is no other."""
    doubt: float
    """In [0, 1]: 0.5 where both are as likely, and more where the other is likelier."""


@dataclass(frozen=True)
class _Recent:
    """Faces of the latest experience; columns of `(N,)`."""

    face_ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    """Where each stands; `UNKNOWN` for none."""
    members: NDArray[np.bool_]
    """Whether it stands there on somebody's word, and not the model's alone."""
    answered: NDArray[np.bool_]
    """Whether a person has spoken for it."""


def queue(workspace: Workspace, budget: int) -> list[Question]:
    """Return faces that seem to stand in the wrong class, the best to ask first.

    They are of the experience that discovery looked through last.

    Raises:
        BadInput: if there is no model.
    """
    answer = workspace.answer()
    recent = _recent(workspace, answer)
    if recent is None or recent.answered.all():
        return []
    asked = np.flatnonzero(~recent.answered)
    with workspace.store.reading() as transaction:
        live = {entry.id: entry for entry in classes.live(transaction)}
        sources = {face.id: face.source for face in faces.by_ids(transaction, recent.face_ids[asked])}
    class_ids, scores = _left_out_scores(answer, recent, frozenset(live))
    stands_in = recent.class_ids[asked]
    columns = np.where(np.isin(stands_in, class_ids), np.searchsorted(class_ids, stands_in), -1)
    found = most_useful(recent.vectors[asked], scores[asked], columns, budget)
    return [
        Question(
            face_id,
            sources[face_id],
            live.get(stands),
            live[int(class_ids[rival])] if class_ids[rival] != stands else None,
            float(doubt),
        )
        for face_id, stands, rival, doubt in zip(
            recent.face_ids[asked][found.rows].tolist(),
            stands_in[found.rows].tolist(),
            found.rivals.tolist(),
            found.doubts.tolist(),
            strict=True,
        )
    ]


def _recent(workspace: Workspace, answer: Answer) -> _Recent | None:
    """Return embedded faces of what discovery looked through last, or else came in last; None if none are."""
    with workspace.store.reading() as transaction:
        latest = experiences.looked_through(transaction) or experiences.latest(transaction)
        if latest is None or latest.labelled:
            return None
        present = faces.in_experience(transaction, latest.index)
        face_ids = np.setdiff1d(present, embeddings.missing(transaction, answer.version, latest.index))
        if not len(face_ids):
            return None
        vectors = embeddings.read(transaction, answer.version, face_ids).vectors
        places = standing(transaction)
    rows = np.searchsorted(places.face_ids, face_ids)
    origins = np.array(places.origins)[rows]
    class_ids = places.class_ids[rows]
    members = (origins != "model") & (class_ids != UNKNOWN)
    return _Recent(face_ids, vectors, class_ids, members, np.isin(origins, SPOKEN_FOR))


def _left_out_scores(
    answer: Answer, recent: _Recent, live: frozenset[int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return what a head that has not learned a face says of it: `(C,)` class ids and `(N, C)` scores."""
    # A recent face that is remembered as well would be left out once and judge itself all the same.
    remembered = np.isin(answer.exemplar_ids, list(live)) & ~np.isin(answer.exemplar_faces, recent.face_ids)
    head = AnalyticHead(recent.vectors.shape[1])
    head.add(answer.exemplars[remembered], answer.exemplar_ids[remembered], np.ones(remembered.sum()))
    members = recent.vectors[recent.members], recent.class_ids[recent.members], np.ones(recent.members.sum())
    head.add(*members)
    scores = head.scores(recent.vectors)
    if recent.members.any():
        scores[recent.members] = head.left_out_scores(*members)
    return head.class_ids, scores
