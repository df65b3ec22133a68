"""The words of owcl: records without behaviour, shared by every floor of the house.

A singular is one thing; a plural is columns of equal length, one row a face.
Shapes: `N` faces, `D` embedding, `M` members.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1
"""The class id that means "none that I know"."""

ClassStatus = Literal["known", "provisional", "named", "merged", "rejected"]
LIVE: tuple[ClassStatus, ...] = ("known", "provisional", "named")
"""The statuses under which a class may be predicted."""


@dataclass(frozen=True)
class Face:
    """One face image, known by its content."""

    id: int
    sha256: str
    source: str
    size: tuple[int, int]
    """Width and height in pixels, upright."""
    experience: int


@dataclass(frozen=True)
class Quarantined:
    """A source that could not be made into a face, and why."""

    source: str
    sha256: str | None
    reason: str


@dataclass(frozen=True)
class Embeddings:
    """`(N,)` face ids and their `(N, D)` float32 vectors under one model version."""

    face_ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    model_version: int


@dataclass(frozen=True)
class Attributions:
    """Who made each face, according to one model version; all columns are `(N,)`."""

    face_ids: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    """Registry ids; `UNKNOWN` where no known class fits."""
    probabilities: NDArray[np.float64]
    """Of the likeliest class, also where the face was rejected."""
    p_values: NDArray[np.float64]
    """How unusual the face would be if it were of a known class; small means novel."""
    model_version: int


@dataclass(frozen=True)
class Cluster:
    """Faces of the pool that belong together."""

    member_ids: NDArray[np.int64]
    """`(M,)` face ids."""
    centre: NDArray[np.float32]
    """`(D,)` mean of the members' embeddings."""
    stability: float
    """Share of resamples in which the cluster came back, in [0, 1]."""


@dataclass(frozen=True)
class MethodClass:
    """A forgery method (or `real`) in the registry; its id is permanent, its name is not."""

    id: int
    name: str
    family: str | None
    status: ClassStatus
    merged_into: int | None


@dataclass(frozen=True)
class ModelVersion:
    """A trained model; `class_ids` are the registry ids of its head's outputs, in order."""

    id: int
    parent: int | None
    weights: str
    configuration: Mapping[str, Any]
    class_ids: tuple[int, ...]


@dataclass(frozen=True)
class Decision:
    """One row of the append-only log: who changed what, when, from what to what."""

    id: int
    when: datetime
    who: str
    verb: str
    subject: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
