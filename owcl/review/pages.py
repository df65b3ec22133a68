"""What each page shows."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from owcl.engine.history import UNDOABLE, about, changes
from owcl.engine.standing import surest_first
from owcl.engine.workspace import Workspace
from owcl.errors import NotFound
from owcl.review.snapshot import Snapshot
from owcl.types import Decision
from storage import (
    counts,
    decisions,
    embeddings,
    faces,
    memberships,
    metrics,
    models,
    quarantine,
)

NEAREST = 5
"""Classes shown beside a class."""
LOOKS = 50
"""Faces of each class by which the nearest classes are found."""
LOG = 200
"""Decisions of the history."""
MEASURED = {
    "id_acc_all": "accuracy, all",
    "acc_known": "accuracy, known",
    "id_acc_novel": "accuracy, novel",
    "forget_labelled": "forgetting",
}


@dataclass(frozen=True)
class ClassPage:
    """A class with all that an operator needs to decide on it."""

    id: int
    name: str
    family: str | None
    note: Sequence[tuple[str, bool]]
    """Pieces of it, and which of them are links."""
    note_text: str
    status: str
    version: int
    live: bool
    merged_into: int | None
    born: int | None
    faces: int
    members: int
    evidence: Sequence[tuple[str, str]]
    nearest: Sequence[tuple[int, str, float]]
    """Classes with the distance of their centres, the nearest first."""
    arrivals: Sequence[int]
    """Faces by the experience in which they came."""
    others: Sequence[tuple[int, str]]
    """Live classes that it could be merged into."""
    families: Sequence[str]
    real: int | None
    """The class of genuine faces, if it is another one."""
    log: Sequence[LogLine]


@dataclass(frozen=True)
class LogLine:
    """A decision as people read it."""

    id: int
    when: datetime
    who: str
    verb: str
    subject: str
    changes: Sequence[tuple[str, str, str]]
    """What, before, after."""
    undo: str | None
    """`undo` or `redo`, where it can be taken back."""


@dataclass(frozen=True)
class Done:
    """A decision as a page says it after it was made, or taken back."""

    said: str
    undo: str | None
    """`undo` or `redo`, where it can be taken back or had back."""
    decision: int
    """Which one that would take back."""


def order_of(snapshot: Snapshot, rows: NDArray[np.intp], order: str) -> NDArray[np.intp]:
    """Return positions of rows in an order: `surest`, `unsure` or `newest`."""
    if order == "newest":
        return np.argsort(-snapshot.present.face_ids[rows], kind="stable")
    sure = surest_first(snapshot.present.probabilities[rows], snapshot.present.p_values[rows])
    return sure if order == "surest" else sure[::-1]


def class_page(workspace: Workspace, snapshot: Snapshot, class_id: int) -> ClassPage:
    """Return what the page of a class shows.

    Raises:
        NotFound: if there is no such class.
    """
    found = snapshot.classes.get(class_id)
    if found is None:
        raise NotFound(f"class {class_id}: there is none. The overview lists those there are.")
    entry = found.entry
    with workspace.store.reading() as transaction:
        members = memberships.members(transaction, class_id)
        log = _lines(transaction, about(transaction, found))
        nearest = _nearest(transaction, snapshot, class_id)
    return ClassPage(
        id=entry.id,
        name=entry.name,
        family=entry.family,
        note=_linked(found.note or ""),
        note_text=found.note or "",
        status=entry.status,
        version=found.version,
        live=class_id in snapshot.live,
        merged_into=entry.merged_into,
        born=found.born,
        faces=len(snapshot.rows(class_id)),
        members=len(members),
        evidence=[(key.replace("_", " "), _plain(value)) for key, value in found.evidence.items()],
        nearest=nearest,
        arrivals=snapshot.arrivals(class_id),
        others=[(key, other.entry.name) for key, other in snapshot.live.items() if key != class_id],
        families=sorted({other.entry.family for other in snapshot.classes.values() if other.entry.family}),
        real=_real(snapshot, class_id),
        log=log,
    )


def face_columns(workspace: Workspace, snapshot: Snapshot, class_id: int, order: str) -> dict[str, list[Any]]:
    """Return the faces of a class as columns: ids, probabilities, p-values, and on whose word."""
    rows = snapshot.rows(class_id)
    if not len(rows):
        with workspace.store.reading() as transaction:
            kept = memberships.members(transaction, class_id)
        rows = np.searchsorted(snapshot.present.face_ids, kept)
    rows = rows[order_of(snapshot, rows, order)]
    present = snapshot.present
    return {
        "ids": present.face_ids[rows].tolist(),
        "probabilities": _rounded(present.probabilities[rows]),
        "p_values": _rounded(present.p_values[rows]),
        "origins": [present.origins[row] for row in rows.tolist()],
    }


def history(workspace: Workspace) -> list[LogLine]:
    """Return the latest decisions, newest first."""
    with workspace.store.reading() as transaction:
        return _lines(transaction, decisions.history(transaction, limit=LOG))


def decided(workspace: Workspace, decision: int) -> Done | None:
    """Return how a decision stands, if there is one of this id; one that takes another back stands for it."""
    with workspace.store.reading() as transaction:
        try:
            first = decisions.original(transaction, decision)
        except NotFound:
            return None
        last = decisions.last_of_chain(transaction, first.id)
        ends = decisions.open_ends(transaction, UNDOABLE)
    said = f"{first.verb} of {first.subject} by {first.who}"
    return Done(f"undone: {said}" if ends.get(last) else said, _undo(ends, last), last)


def numbers(workspace: Workspace, snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return the figures at the top of the overview."""
    with workspace.store.reading() as transaction:
        measured = _latest_metrics(transaction)
        bad = quarantine.count(transaction)
        found = counts.by_experience(transaction).get(snapshot.experiences)
    provisional = sum(one.entry.status == "provisional" for one in snapshot.live.values())
    shown = [
        ("faces", f"{len(snapshot.present.face_ids):,}"),
        ("experiences", str(max(snapshot.experiences, 0))),
        ("classes", str(len(snapshot.live))),
        ("waiting for you", str(provisional)),
        ("unknown faces", f"{snapshot.unknown:,}"),
        ("in quarantine", f"{bad:,}"),
    ]
    if found is not None:
        shown.append(("new methods, last time", f"{found.value:g} ({found.low:g} to {found.high:g})"))
        if found.evidence.get("drifted"):
            shown.append(("heaps of known faces posted again", str(found.evidence["drifted"])))
    return shown + [
        (label, f"{100 * measured[name]:.1f} %") for name, label in MEASURED.items() if name in measured
    ]


def arrivals(snapshot: Snapshot) -> list[tuple[int, str, list[int]]]:
    """Return id, name and faces by experience of each discovered class."""
    return [
        (key, found.entry.name, snapshot.arrivals(key))
        for key, found in snapshot.live.items()
        if found.entry.status != "known"
    ]


def _latest_metrics(transaction: Connection) -> dict[str, float]:
    found: dict[str, float] = {}
    for metric in metrics.read(transaction):
        if metric.measured.method is None and metric.measured.split == "test" and metric.value is not None:
            found[metric.name] = metric.value
    return found


def _nearest(transaction: Connection, snapshot: Snapshot, class_id: int) -> list[tuple[int, str, float]]:
    """Return the classes whose centres lie nearest, by some faces of each."""
    answering = models.answering(transaction)
    if answering is None or class_id not in snapshot.live:
        return []
    embedded = embeddings.of_version(transaction, answering.id)
    centres = {}
    for key in snapshot.live:
        ids = snapshot.present.face_ids[snapshot.rows(key)]
        ids = ids[np.isin(ids, embedded, assume_unique=True)]
        if len(ids):
            looks = ids[:: max(1, len(ids) // LOOKS)][:LOOKS]
            centres[key] = embeddings.read(transaction, answering.id, looks).vectors.mean(axis=0)
    mine = centres.pop(class_id, None)
    if mine is None:
        return []
    distances = {key: float(np.linalg.norm(centre - mine)) for key, centre in centres.items()}
    near = sorted(distances, key=distances.__getitem__)[:NEAREST]
    return [(key, snapshot.live[key].entry.name, distances[key]) for key in near]


def _real(snapshot: Snapshot, class_id: int) -> int | None:
    genuine = (key for key, found in snapshot.live.items() if found.entry.name.casefold() == "real")
    found = next(genuine, None)
    return None if found == class_id else found


def _lines(transaction: Connection, found: Sequence[Decision]) -> list[LogLine]:
    ends = decisions.open_ends(transaction, UNDOABLE)
    return [
        LogLine(
            one.id,
            one.when.astimezone(),
            one.who,
            one.verb,
            one.subject,
            _changes(one),
            _undo(ends, one.id),
        )
        for one in found
    ]


def _undo(ends: Mapping[int, bool], decision: int) -> str | None:
    return None if decision not in ends else "redo" if ends[decision] else "undo"


def _changes(decision: Decision) -> list[tuple[str, str, str]]:
    shown = []
    for changed in changes(decision):
        what = changed.what.replace("_", " ")
        if changed.class_id is None:
            shown.append((what, _plain(changed.before or ""), _plain(changed.after)))
        else:
            shown.append((f"class {changed.class_id}: {what}", _plain(changed.before), _plain(changed.after)))
    return shown


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _rounded(values: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(value) else round(value, 4) for value in values.tolist()]


def _linked(text: str) -> list[tuple[str, bool]]:
    """Return the pieces of a text, and which of them are addresses of the web."""
    pieces = re.split(r"(https?://[^\s<>\"']+)", text)
    return [(piece, number % 2 == 1) for number, piece in enumerate(pieces) if piece]


def sources(workspace: Workspace, face_ids: Sequence[int]) -> list[str]:
    """Return where faces came from.

    Raises:
        NotFound: if there is no such face.
    """
    with workspace.store.reading() as transaction:
        return [found.source for found in faces.by_ids(transaction, face_ids)]
