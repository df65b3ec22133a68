"""What the registry says of its classes: a line of each, and one with all that an operator needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from owcl.engine import history
from owcl.engine.standing import faces_by_class, standing
from owcl.types import Decision, MethodClass
from storage import classes, faces, memberships
from storage.store import Store

EXAMPLES = 5
"""Faces shown of a class."""


@dataclass(frozen=True)
class ClassLine:
    """A class as the list shows it."""

    id: int
    name: str
    family: str | None
    status: str
    faces: int
    born: int | None
    """The experience in which it was found."""
    merged_into: int | None


@dataclass(frozen=True)
class ClassView:
    """A class with all that an operator needs to judge it."""

    line: ClassLine
    note: str | None
    version: int
    members: int
    """Faces that are of it by a label or by discovery; the others of `line.faces` the model thinks are."""
    evidence: Mapping[str, Any]
    nearest: MethodClass | None
    examples: tuple[str, ...]
    """Where a few of its faces came from."""
    decisions: tuple[Decision, ...]
    """Those about it, newest first."""


def list_classes(store: Store) -> list[ClassLine]:
    """Return all classes by id, tombstones included."""
    with store.reading() as transaction:
        counted = faces_by_class(standing(transaction).class_ids)
        return [_line(transaction, entry, counted) for entry in classes.everything(transaction)]


def show(store: Store, id_or_name: str) -> ClassView:
    """Return a class with its evidence, a few of its faces, and what was decided about it.

    Raises:
        NotFound: if there is no such class.
    """
    with store.reading() as transaction:
        entry = classes.find(transaction, id_or_name)
        details = classes.details(transaction, entry.id)
        present = standing(transaction)
        mine = present.face_ids[present.class_ids == entry.id]
        members = memberships.members(transaction, entry.id)
        shown = (members if len(members) else mine)[:EXAMPLES]
        nearest = details.evidence.get("nearest_class")
        return ClassView(
            line=_line(transaction, entry, faces_by_class(present.class_ids)),
            note=details.note,
            version=details.version,
            members=len(members),
            evidence=details.evidence,
            nearest=None if nearest is None else classes.get(transaction, int(nearest)),
            examples=tuple(face.source for face in faces.by_ids(transaction, shown)),
            decisions=tuple(history.about(transaction, details)),
        )


def _line(transaction: Connection, entry: MethodClass, counted: Mapping[int, int]) -> ClassLine:
    return ClassLine(
        id=entry.id,
        name=entry.name,
        family=entry.family,
        status=entry.status,
        faces=counted.get(entry.id, 0),
        born=classes.details(transaction, entry.id).born,
        merged_into=entry.merged_into,
    )
