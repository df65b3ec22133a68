"""What the inbox shows: classes that wait for a name, and clusters that wait to be a class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from owcl.engine.workspace import Workspace
from owcl.review.pages import order_of
from owcl.review.snapshot import Snapshot
from storage import classes, clusters

STRIPS = {"representative": 8, "borderline": 4, "random": 4}
"""Faces of each kind beside a class in the inbox."""
OF_A_CLUSTER = 16
"""Faces shown of a cluster that waits."""


@dataclass(frozen=True)
class Card:
    """A class in the inbox."""

    id: int
    name: str
    family: str | None
    status: str
    faces: int
    recent: int
    """Faces of the latest experience."""
    born: int | None
    stability: float | None
    is_new: bool
    """Since the operator's last visit."""
    strips: Mapping[str, tuple[int, ...]]
    """Face ids by the reason why they are shown."""


@dataclass(frozen=True)
class WaitingCard:
    """A cluster that is not sure enough to be a class."""

    id: int
    faces: int
    times_seen: int
    reasons: Sequence[str]
    strip: tuple[int, ...]
    """Ids of a few of its faces, drawn at random."""


def provisional(workspace: Workspace, snapshot: Snapshot, seen_until: int) -> list[Card]:
    """Return the provisional classes, the most urgent first: large, growing, or uncertain."""
    cards = [
        _card(workspace, snapshot, found, seen_until)
        for found in snapshot.live.values()
        if found.entry.status == "provisional"
    ]
    return sorted(cards, key=_urgency, reverse=True)


def waiting(workspace: Workspace) -> list[WaitingCard]:
    """Return the clusters that a person may make a class of, the largest first."""
    with workspace.store.reading() as transaction:
        found = clusters.waiting(transaction)
    return [_waiting_card(workspace, one) for one in found]


def _waiting_card(workspace: Workspace, found: clusters.StoredCluster) -> WaitingCard:
    drawn = workspace.rng("waiting", found.id).permutation(found.cluster.member_ids)
    return WaitingCard(
        found.id,
        len(drawn),
        found.times_seen,
        tuple(found.sighting.evidence.get("reasons", ())),
        tuple(drawn[:OF_A_CLUSTER].tolist()),
    )


def _urgency(card: Card) -> float:
    doubt = 1 - (card.stability if card.stability is not None else 1)
    return math.log1p(card.faces) + math.log1p(card.recent) + 2 * doubt


def _card(workspace: Workspace, snapshot: Snapshot, found: classes.ClassDetails, seen_until: int) -> Card:
    entry = found.entry
    rows = snapshot.rows(entry.id)
    return Card(
        entry.id,
        entry.name,
        entry.family,
        entry.status,
        len(rows),
        int((snapshot.experience_of[rows] == snapshot.experiences).sum()),
        found.born,
        found.evidence.get("stability"),
        entry.id > seen_until,
        _strips(snapshot, rows, workspace.rng("strip", entry.id)),
    )


def _strips(
    snapshot: Snapshot, rows: NDArray[np.intp], rng: np.random.Generator
) -> dict[str, tuple[int, ...]]:
    ordered = rows[order_of(snapshot, rows, "surest")]
    many = STRIPS["representative"]
    few = STRIPS["borderline"]
    rest = ordered[many : max(many, len(ordered) - few)]
    chosen = {
        "representative": ordered[:many],
        "borderline": ordered[max(many, len(ordered) - few) :],
        "random": rng.permutation(rest)[: STRIPS["random"]],
    }
    return {
        reason: tuple(snapshot.present.face_ids[some].tolist())
        for reason, some in chosen.items()
        if len(some)
    }


def others(snapshot: Snapshot) -> list[tuple[int, str, str, int]]:
    """Return id, name, status and faces of the live classes that somebody has named."""
    return [
        (key, found.entry.name, found.entry.status, len(snapshot.rows(key)))
        for key, found in snapshot.live.items()
        if found.entry.status != "provisional"
    ]
