"""Faces: each content once, under an id that lasts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.orm import aliased

from owcl.errors import NotFound
from owcl.types import Face
from storage import merges
from storage.columns import now
from storage.rows import as_columns, batches, id_array
from storage.schema import AttributionRow, FaceRow, MembershipRow

_SHA256_BATCH = 10_000


@dataclass(frozen=True)
class NewFace:
    """A face that has no id yet."""

    sha256: str
    source: str
    size: tuple[int, int]
    experience: int
    face_found: bool | None = None
    """None where nobody looked for one."""
    held_out: bool = False
    """For calibration, and never trained on."""


def add_many(transaction: Connection, rows: Sequence[NewFace]) -> NDArray[np.int64]:
    """Return the `(N,)` ids of faces, adding those whose content is not there yet.

    A content that is there already keeps its id, source and experience.
    """
    ids = ids_by_sha256(transaction, [row.sha256 for row in rows])
    first: dict[str, NewFace] = {}
    for row in rows:
        if row.sha256 not in ids:
            first.setdefault(row.sha256, row)
    if first:
        moment = now()
        fresh = [
            {
                "sha256": row.sha256,
                "source": row.source,
                "width": row.size[0],
                "height": row.size[1],
                "experience": row.experience,
                "face_found": row.face_found,
                "held_out": row.held_out,
                "created": moment,
            }
            for row in first.values()
        ]
        transaction.execute(insert(FaceRow), fresh)
        ids |= ids_by_sha256(transaction, list(first))
    return id_array(ids[row.sha256] for row in rows)


def ids_by_sha256(transaction: Connection, sha256s: Sequence[str]) -> dict[str, int]:
    """Return the ids of those contents that are there."""
    found: dict[str, int] = {}
    for start in range(0, len(sha256s), _SHA256_BATCH):
        wanted = FaceRow.sha256.in_(sha256s[start : start + _SHA256_BATCH])
        rows = transaction.execute(select(FaceRow.sha256, FaceRow.id).where(wanted))
        found.update({sha256: face_id for sha256, face_id in rows})
    return found


def known_sha256(transaction: Connection, sha256s: Collection[str]) -> set[str]:
    """Return those contents that are there already."""
    return set(ids_by_sha256(transaction, list(sha256s)))


def by_ids(transaction: Connection, face_ids: Iterable[int] | NDArray[np.int64]) -> list[Face]:
    """Return faces in the order of `face_ids`.

    Raises:
        NotFound: if there is no face of one of the ids.
    """
    wanted = [int(face_id) for face_id in face_ids]
    columns = (
        FaceRow.id,
        FaceRow.sha256,
        FaceRow.source,
        FaceRow.width,
        FaceRow.height,
        FaceRow.experience,
    )
    found: dict[int, Face] = {}
    for batch in batches(wanted):
        for row in transaction.execute(select(*columns).where(FaceRow.id.in_(batch))):
            found[row.id] = Face(row.id, row.sha256, row.source, (row.width, row.height), row.experience)
    _refuse_absent(wanted, found)
    return [found[face_id] for face_id in wanted]


def are_held_out(transaction: Connection, face_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say of each face, in the order of `face_ids`, whether it is for calibration and never trained on.

    Raises:
        NotFound: if there is no face of one of the ids.
    """
    found: dict[int, bool] = {}
    for batch in batches(face_ids):
        rows = transaction.execute(select(FaceRow.id, FaceRow.held_out).where(FaceRow.id.in_(batch)))
        found.update({face_id: held_out for face_id, held_out in rows})
    wanted = face_ids.tolist()
    _refuse_absent(wanted, found)
    return np.array([found[face_id] for face_id in wanted], np.bool_)


def in_experience(transaction: Connection, index: int) -> NDArray[np.int64]:
    """Return the `(N,)` ids of the faces of experience `index`, ascending."""
    query = select(FaceRow.id).where(FaceRow.experience == index).order_by(FaceRow.id)
    return id_array(transaction.execute(query).scalars())


def move(transaction: Connection, face_ids: NDArray[np.int64], experience: int) -> None:
    """Let faces belong to another experience, which there is."""
    for batch in batches(face_ids):
        moving = update(FaceRow).where(FaceRow.id.in_(batch))
        transaction.execute(moving.values(experience=experience))


def experience_of_all(transaction: Connection) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the `(N,)` ids of all faces, ascending, and the experience in which each came."""
    result = transaction.execute(select(FaceRow.id, FaceRow.experience).order_by(FaceRow.id))
    face_ids, came_in = as_columns(result, np.int64, np.int64)
    return face_ids, came_in


def count(transaction: Connection, index: int | None = None) -> int:
    """Return how many faces there are, or how many experience `index` holds."""
    query = select(func.count()).select_from(FaceRow)
    if index is not None:
        query = query.where(FaceRow.experience == index)
    return transaction.execute(query).scalar_one()


def without_face(transaction: Connection, index: int | None = None) -> NDArray[np.int64]:
    """Return the `(N,)` ids of images in which a face was looked for and not found."""
    query = select(FaceRow.id).where(FaceRow.face_found.is_(False)).order_by(FaceRow.id)
    if index is not None:
        query = query.where(FaceRow.experience == index)
    return id_array(transaction.execute(query).scalars())


def pool(transaction: Connection) -> NDArray[np.int64]:
    """Return the `(N,)` ids of faces that wait for discovery, ascending.

    They belong to no class, on nobody's word, and their newest attribution is "none that I know", or a class
    that was rejected since, by itself or as what it was merged into.
    """
    newer = aliased(AttributionRow)
    newest = select(func.max(newer.id)).where(newer.face_id == FaceRow.id).scalar_subquery()
    belongs = select(MembershipRow.id).where(
        MembershipRow.face_id == FaceRow.id, MembershipRow.ended.is_(None)
    )
    rejected = merges.rejected(transaction)
    query = (
        select(FaceRow.id)
        .join(AttributionRow, AttributionRow.id == newest)
        .where(AttributionRow.class_id.is_(None) | AttributionRow.class_id.in_(rejected), ~belongs.exists())
        .order_by(FaceRow.id)
    )
    return id_array(transaction.execute(query).scalars())


def _refuse_absent(wanted: Sequence[int], found: Collection[int]) -> None:
    absent = next((face_id for face_id in wanted if face_id not in found), None)
    if absent is not None:
        raise NotFound(f"faces: there is no face {absent}. Faces are listed by their ids.")
