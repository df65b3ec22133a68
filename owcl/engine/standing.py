"""Where each face belongs now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from owcl.types import UNKNOWN, Attributions
from storage import attributions, classes, memberships


@dataclass(frozen=True)
class Standing:
    """Where each face belongs now; columns of `(N,)`, by ascending face id."""

    face_ids: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    """A live class, or `UNKNOWN`."""
    origins: tuple[str, ...]
    """On whose word: label, promotion, operator, pseudo, or `model` where only the model has spoken."""
    probabilities: NDArray[np.float64]
    """NaN where the face has not been attributed."""
    p_values: NDArray[np.float64]


def standing(transaction: Connection) -> Standing:
    """Return where each face belongs: on somebody's word where there is one, else as the model says."""
    members = memberships.active(transaction)
    live = [entry.id for entry in classes.live(transaction)]
    return standing_of(attributions.current(transaction), members, live)


def faces_by_class(class_ids: NDArray[np.int64]) -> dict[int, int]:
    """Return how many of `(N,)` class ids each class has, `UNKNOWN` among them."""
    ids, counts = np.unique(class_ids, return_counts=True)
    return dict(zip(ids.tolist(), counts.tolist(), strict=True))


def standing_of(judged: Attributions, members: memberships.Memberships, live: Collection[int]) -> Standing:
    """Return where each face belongs, given what the model says, on whose word, and the live classes."""
    face_ids = np.union1d(judged.face_ids, members.face_ids)
    class_ids = np.full(len(face_ids), UNKNOWN, np.int64)
    origins = np.full(len(face_ids), "model", dtype=object)
    shares = np.full((2, len(face_ids)), np.nan)
    attributed = np.searchsorted(face_ids, judged.face_ids)
    class_ids[attributed] = judged.class_ids
    shares[:, attributed] = judged.probabilities, judged.p_values
    spoken = np.searchsorted(face_ids, members.face_ids)
    class_ids[spoken] = members.class_ids
    origins[spoken] = members.origins
    class_ids[~np.isin(class_ids, list(live))] = UNKNOWN
    return Standing(face_ids, class_ids, tuple(origins), shares[0], shares[1])


def surest_first(probabilities: NDArray[np.float64], p_values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return positions of `(N,)` faces, the most probable first; those that nobody judged are sure.

    Of a class that is easily told all probabilities are 1; then the face that is most usual for it is first.
    """
    shares, usual = (np.nan_to_num(values, nan=1.0) for values in (probabilities, p_values))
    return np.lexsort((-usual, -shares))
