"""The store at one moment, as pages need it: read once, and again only when something has changed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from owcl.engine.standing import Standing, standing_of
from owcl.types import LIVE, UNKNOWN, Attributions
from storage import attributions, changes, classes, experiences, faces, memberships
from storage.changes import State
from storage.classes import ClassDetails
from storage.memberships import Memberships
from storage.store import Store


@dataclass(frozen=True)
class Snapshot:
    """Where everything stands."""

    state: State
    present: Standing
    classes: Mapping[int, ClassDetails]
    """All of them by id, tombstones included."""
    experience_of: NDArray[np.int64]
    """`(N,)` of the faces of `present`."""
    experiences: int
    """Index of the latest one; -1 before any."""

    @cached_property
    def live(self) -> dict[int, ClassDetails]:
        """Classes that may be predicted."""
        return {key: found for key, found in self.classes.items() if found.entry.status in LIVE}

    @cached_property
    def _by_class(self) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        order = np.argsort(self.present.class_ids, kind="stable")
        return order, self.present.class_ids[order]

    def rows(self, class_id: int) -> NDArray[np.intp]:
        """Return the rows of `present` of a class, or of `UNKNOWN`, by ascending face id."""
        order, ids = self._by_class
        return order[np.searchsorted(ids, class_id) : np.searchsorted(ids, class_id, side="right")]

    def class_of(self, face_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the classes of `(N,)` faces, `UNKNOWN` also where nothing was ever said of one."""
        places = np.searchsorted(self.present.face_ids, face_ids)
        places = np.minimum(places, len(self.present.face_ids) - 1)
        said = self.present.face_ids[places] == face_ids
        found: NDArray[np.int64] = np.where(said, self.present.class_ids[places], UNKNOWN)
        return found

    def arrivals(self, class_id: int) -> list[int]:
        """Return how many faces of a class came in each experience."""
        counted = np.bincount(self.experience_of[self.rows(class_id)], minlength=self.experiences + 1)
        return [int(count) for count in counted.tolist()]

    @property
    def unknown(self) -> int:
        """Faces of no class."""
        return len(self.rows(UNKNOWN))


class Snapshots:
    """Takes snapshots of a store; safe to ask from several threads.

    Args:
        store: of the workspace.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._latest: Snapshot | None = None
        self._newest: tuple[int, Attributions] | None = None
        self._members: tuple[tuple[int, int], Memberships] | None = None
        self._came_in: tuple[int, tuple[NDArray[np.int64], NDArray[np.int64]]] | None = None

    def now(self) -> Snapshot:
        """Return the store as it is now."""
        with self._lock, self._store.reading() as transaction:
            state = changes.state(transaction)
            if self._latest is None or self._latest.state != state:
                self._latest = self._taken(transaction, state)
            return self._latest

    def _taken(self, transaction: Connection, state: State) -> Snapshot:
        # Faces, attributions and memberships are many, and most decisions of an operator change none of them.
        if self._newest is None or self._newest[0] != state.attributions:
            self._newest = state.attributions, attributions.newest(transaction)
        if self._came_in is None or self._came_in[0] != state.faces:
            self._came_in = state.faces, faces.experience_of_all(transaction)
        if self._members is None or self._members[0] != state.memberships:
            self._members = state.memberships, memberships.as_written(transaction)
        judged = attributions.resolved(transaction, self._newest[1])
        entries = [classes.details(transaction, one.id) for one in classes.everything(transaction)]
        live = [found.entry.id for found in entries if found.entry.status in LIVE]
        members = memberships.resolved(transaction, self._members[1])
        present = standing_of(judged, members, live)
        face_ids, came_in = self._came_in[1]
        latest = experiences.latest(transaction)
        return Snapshot(
            state,
            present,
            {found.entry.id: found for found in entries},
            came_in[np.searchsorted(face_ids, present.face_ids)],
            -1 if latest is None else latest.index,
        )
