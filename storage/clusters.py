"""Clusters: proposals of discovery, kept across experiences until they are a class or dissolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from owcl.errors import NotFound
from owcl.types import Cluster
from storage.columns import now
from storage.rows import batches, id_array, insert_one
from storage.schema import ClusterMemberRow, ClusterRow, MembershipRow

State = Literal["candidate", "promoted", "dissolved"]
_FLOAT = np.dtype("<f4")


@dataclass(frozen=True)
class Sighting:
    """In which experience and under which model version a cluster was seen, and what speaks for it."""

    experience: int
    model_version: int
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredCluster:
    """A cluster with its latest sighting; `times_seen` counts the sightings."""

    id: int
    cluster: Cluster
    sighting: Sighting
    state: State
    class_id: int | None
    times_seen: int


def add(transaction: Connection, cluster: Cluster, sighting: Sighting) -> int:
    """Keep a new candidate and return its id, which no other cluster ever had."""
    row = {
        **_columns(cluster, sighting),
        "state": "candidate",
        "times_seen": 1,
        "created": now(),
    }
    cluster_id = insert_one(transaction, ClusterRow, row)
    _write_members(transaction, cluster_id, cluster.member_ids)
    return cluster_id


def see_again(transaction: Connection, cluster_id: int, cluster: Cluster, sighting: Sighting) -> None:
    """Note that a cluster came back, with the members, centre and evidence that it has now.

    Raises:
        NotFound: if there is no such cluster.
    """
    seen = get(transaction, cluster_id).times_seen
    values = {**_columns(cluster, sighting), "times_seen": seen + 1}
    transaction.execute(update(ClusterRow).where(ClusterRow.id == cluster_id).values(values))
    transaction.execute(delete(ClusterMemberRow).where(ClusterMemberRow.cluster_id == cluster_id))
    _write_members(transaction, cluster_id, cluster.member_ids)


def promote(transaction: Connection, cluster_id: int, class_id: int) -> None:
    """Note that a cluster has become a class.

    Raises:
        NotFound: if there is no such cluster.
    """
    _settle(transaction, cluster_id, "promoted", class_id)


def dissolve(transaction: Connection, cluster_id: int) -> None:
    """Give a cluster up; its faces stay in the pool.

    Raises:
        NotFound: if there is no such cluster.
    """
    _settle(transaction, cluster_id, "dissolved", None)


def get(transaction: Connection, cluster_id: int) -> StoredCluster:
    """Return a cluster.

    Raises:
        NotFound: if there is none of this id.
    """
    row = transaction.execute(select(ClusterRow.__table__).where(ClusterRow.id == cluster_id)).one_or_none()
    if row is None:
        raise NotFound(
            f"clusters: there is no cluster {cluster_id}. `owcl classes proposals` lists those that wait."
        )
    return _stored(transaction, row)


def in_state(transaction: Connection, state: State) -> list[StoredCluster]:
    """Return the clusters in a state, by id."""
    return [_stored(transaction, row) for row in _rows(transaction, state)]


def waiting(transaction: Connection) -> list[StoredCluster]:
    """Return the candidates, the largest first, with those of their faces alone that belong to no class.

    Those of which less than half is left have found their classes otherwise and are left out.
    """
    belongs = select(MembershipRow.id).where(
        MembershipRow.face_id == ClusterMemberRow.face_id, MembershipRow.ended.is_(None)
    )
    found = []
    for row in _rows(transaction, "candidate"):
        left = _stored(transaction, row, ~belongs.exists())
        if 2 * len(left.cluster.member_ids) >= row.size:
            found.append(left)
    return sorted(found, key=lambda one: -len(one.cluster.member_ids))


def _rows(transaction: Connection, state: State) -> Sequence[Row[*tuple[Any, ...]]]:
    query = select(ClusterRow.__table__).where(ClusterRow.state == state).order_by(ClusterRow.id)
    return transaction.execute(query).all()


def _columns(cluster: Cluster, sighting: Sighting) -> dict[str, Any]:
    return {
        "experience": sighting.experience,
        "model_version": sighting.model_version,
        "evidence": dict(sighting.evidence),
        "size": len(cluster.member_ids),
        "stability": float(cluster.stability),
        "centre": np.ascontiguousarray(cluster.centre, dtype=_FLOAT).tobytes(),
    }


def _write_members(transaction: Connection, cluster_id: int, member_ids: NDArray[np.int64]) -> None:
    for batch in batches(np.unique(member_ids)):
        rows = [{"cluster_id": cluster_id, "face_id": face_id} for face_id in batch]
        transaction.execute(insert(ClusterMemberRow), rows)


def _settle(transaction: Connection, cluster_id: int, state: State, class_id: int | None) -> None:
    get(transaction, cluster_id)
    values = {"state": state, "class_id": class_id}
    transaction.execute(update(ClusterRow).where(ClusterRow.id == cluster_id).values(values))


def _stored(
    transaction: Connection, row: Row[*tuple[Any, ...]], *of_members: ColumnElement[bool]
) -> StoredCluster:
    members = select(ClusterMemberRow.face_id).where(ClusterMemberRow.cluster_id == row.id, *of_members)
    return StoredCluster(
        id=row.id,
        cluster=Cluster(
            member_ids=id_array(transaction.execute(members.order_by(ClusterMemberRow.face_id)).scalars()),
            centre=np.frombuffer(row.centre, dtype=_FLOAT).astype(np.float32),
            stability=row.stability,
        ),
        sighting=Sighting(row.experience, row.model_version, row.evidence),
        state=row.state,
        class_id=row.class_id,
        times_seen=row.times_seen,
    )
