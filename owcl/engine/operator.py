"""Operators as a simulation plays them: they know who made a face, and make mistakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from owcl.engine import registry
from owcl.engine.queue import Question, queue
from owcl.engine.standing import standing
from owcl.engine.update import VOUCHING_FACES
from owcl.engine.workspace import Workspace
from owcl.errors import BadInput
from owcl.types import UNKNOWN
from storage import classes, clusters, experiences, faces
from storage.store import Store

ANSWERS = 20
"""That an operator gives in each experience, if nothing else is said."""
WHO = "simulated operator"
Kind = Literal["oracle", "noisy", "lazy", "random"]
TruthOf = Callable[[str], int]
"""Method number of a face by its source."""


@dataclass(frozen=True)
class Operator:
    """Answers the queue after each discovery."""

    kind: Kind
    answers: int = ANSWERS
    mistakes: float = 0.0
    """Share of wrong answers."""


def parsed(text: str) -> Operator:
    """Read `oracle`, `noisy:0.1`, `lazy:20` or `random:20`.

    `oracle` is right about 20 faces of the queue, `noisy` wrong about some of them, `lazy` right about as
    many as it says, and `random` right about as many that are drawn at random, not queued.

    Raises:
        BadInput: if it is none of these.
    """
    kind, _, value = text.partition(":")
    try:
        if kind == "oracle" and not value:
            return Operator("oracle")
        if kind == "noisy" and 0 <= float(value) <= 1:
            return Operator("noisy", mistakes=float(value))
        if kind == "lazy" and int(value) >= 1:
            return Operator("lazy", answers=int(value))
        if kind == "random" and int(value) >= 1:
            return Operator("random", answers=int(value))
    except ValueError:
        pass
    raise BadInput(
        f"operator {text!r}: there is none of that kind. oracle, noisy:0.1, lazy:20 or random:20 is expected."
    )


def answer(
    workspace: Workspace,
    operator: Operator,
    truth_of: TruthOf,
    stands_for: Mapping[int, int | None],
    rng: np.random.Generator,
) -> int:
    """Answer for the faces that the operator is asked about, and return how many answers that were.

    An answer puts the face into its class. Where the face stands in a second class of its method, the
    operator has come across two classes that are one, and the answer merges them. Faces of a method that no
    live class stands for are left alone while they are few; enough of them to vouch for a class become one,
    with the cluster that waits where most of them are in one.

    Args:
        workspace: after `discover` and before `update`.
        operator: who answers.
        truth_of: who made a face.
        stands_for: method number of each class.
        rng: draws mistakes, and the faces of a random operator.
    """
    asked = _asked(workspace, operator, rng)
    with workspace.store.reading() as transaction:
        live = {entry.id for entry in classes.live(transaction)}
        present = standing(transaction)
    stands_in = dict(zip(present.face_ids.tolist(), present.class_ids.tolist(), strict=True))
    # The oldest class of a method is the one that keeps it.
    class_of = {stands_for.get(class_id): class_id for class_id in sorted(live, reverse=True)}
    merged: dict[int, int] = {}
    labels: dict[int, list[int]] = {}
    strangers: dict[int, list[int]] = {}
    for face_id, source in asked:
        method = truth_of(source)
        said = class_of.get(method)
        stood = stands_in.get(face_id, UNKNOWN)
        if rng.random() < operator.mistakes:
            said = int(rng.choice(sorted(live - merged.keys())))
        elif said is not None and stood not in (said, *merged) and stands_for.get(stood) == method:
            registry.merge(workspace.store, str(stood), str(said), WHO)
            merged[stood] = said
            continue
        if said is not None:
            labels.setdefault(said, []).append(face_id)
        else:
            strangers.setdefault(method, []).append(face_id)
    for face_ids in strangers.values():
        if len(face_ids) >= VOUCHING_FACES:
            labels[_seen_as_class(workspace.store, face_ids)] = face_ids
    for class_id, face_ids in labels.items():
        registry.label(workspace.store, str(merged.get(class_id, class_id)), face_ids, WHO)
    return len(merged) + sum(map(len, labels.values()))


def _seen_as_class(store: Store, face_ids: list[int]) -> int:
    """Make a class of the cluster that waits and has most of some faces, or else of the faces."""
    with store.reading() as transaction:
        waiting = clusters.waiting(transaction)
    for cluster in waiting:
        if 2 * np.isin(face_ids, cluster.cluster.member_ids).sum() > len(face_ids):
            return registry.adopt(store, cluster.id, WHO).id
    return registry.make(store, face_ids, WHO).id


def _asked(workspace: Workspace, operator: Operator, rng: np.random.Generator) -> list[tuple[int, str]]:
    if operator.kind != "random":
        questions: list[Question] = queue(workspace, operator.answers)
        return [(question.face_id, question.source) for question in questions]
    with workspace.store.reading() as transaction:
        latest = experiences.latest(transaction)
        assert latest is not None  # There was a discovery.
        recent = faces.in_experience(transaction, latest.index)
        drawn = faces.by_ids(transaction, rng.permutation(recent)[: operator.answers])
    return [(face.id, face.source) for face in drawn]
