"""A map of all faces: neighbours on it are neighbours to the model."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from owcl.engine.workspace import Workspace
from owcl.evaluation.figures import LARGEST_MAP, project
from storage import embeddings, models

SPAN = 4096
"""Coordinates run from 0 to this."""
NEAREST = 3
"""Landmarks between which a face is placed."""
LANDMARKS_AT_LEAST = 10


class FaceMap:
    """Places faces in the background, once a model version and set of faces.

    Args:
        workspace: with a model.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._wanted: tuple[int, int] | None = None
        self._placed: tuple[NDArray[np.int64], NDArray[np.int32]] | None = None

    def points(self) -> tuple[NDArray[np.int64], NDArray[np.int32]] | None:
        """Return `(N,)` face ids and their `(N, 2)` places; none while they are being found."""
        with self._lock:
            with self._workspace.store.reading() as transaction:
                answering = models.answering(transaction)
                known = 0 if answering is None else embeddings.count(transaction, answering.id)
            if answering is None or known < LANDMARKS_AT_LEAST:
                return np.empty(0, np.int64), np.empty((0, 2), np.int32)
            if self._wanted != (answering.id, known):
                self._wanted, self._placed = (answering.id, known), None
                threading.Thread(target=self._place, args=self._wanted, daemon=True).start()
            return self._placed

    def _place(self, version: int, count: int) -> None:
        with self._workspace.store.reading() as transaction:
            stored = embeddings.read(transaction, version)
        placed = placed_near_landmarks(stored.vectors, self._workspace.rng("map", 0))
        with self._lock:
            if self._wanted == (version, count):
                self._placed = stored.face_ids, placed


def placed_near_landmarks(vectors: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.int32]:
    """Return `(N, 2)` coordinates of `(N, D)` vectors: t-SNE of some, and the others between their nearest.

    Pairs of all faces would neither fit into memory nor into an operator's patience.
    """
    import faiss

    landmarks = np.sort(rng.permutation(len(vectors))[:LARGEST_MAP])
    places = project(vectors[landmarks], rng)
    if len(landmarks) < len(vectors):
        index = faiss.IndexFlatL2(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors[landmarks]))
        squared, nearest = index.search(np.ascontiguousarray(vectors), NEAREST)
        # A landmark lies at no distance from itself and so stays where it is.
        weights = 1 / (np.sqrt(np.maximum(squared, 0)) + 1e-3)
        weights /= weights.sum(axis=1, keepdims=True)
        places = (places[nearest] * weights[:, :, None]).sum(axis=1)
    low, high = places.min(axis=0), places.max(axis=0)
    scaled: NDArray[np.int32] = (
        (SPAN * (places - low) / np.maximum(high - low, 1e-6)).round().astype(np.int32)
    )
    return scaled
