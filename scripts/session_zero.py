"""The faces of a simulation as its first model sees them, for benchmarks of what it does not know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from owcl.engine.answer import Answer
from owcl.engine.workspace import Workspace
from owcl.models.embed import embed
from storage import classes, experiences, faces, models


@dataclass(frozen=True)
class SessionZero:
    """All faces that a simulation took in, in the order in which it did."""

    answer: Answer
    """Of session 0."""
    images: NDArray[np.uint8]
    """`(N, 3, H, W)`."""
    vectors: NDArray[np.float32]
    """`(N, D)` embeddings."""
    methods: NDArray[np.str_]
    """`(N,)` what made each face."""
    labelled: NDArray[np.bool_]
    """`(N,)` faces of session 0."""
    held_out: NDArray[np.bool_]
    """`(N,)` those of them that nothing was trained on."""
    known: frozenset[str]
    """Methods of session 0."""

    def by_method(self, chosen: NDArray[np.bool_]) -> dict[str, NDArray[np.int64]]:
        """Return the rows of each method among the chosen faces."""
        return {
            method: np.flatnonzero(chosen & (self.methods == method))
            for method in sorted(set(self.methods[chosen].tolist()))
        }


def session_zero(root: Path) -> SessionZero:
    """Read what `owcl simulate` left behind of a tree `DIR/<method>/*`, and embed its faces."""
    with Workspace.open(root) as workspace, workspace.store.reading() as transaction:
        first = models.everything(transaction)[0]
        known = frozenset(one.name for one in classes.everything(transaction) if one.status == "known")
        latest = experiences.latest(transaction)
        assert latest is not None
        came = [faces.in_experience(transaction, index) for index in range(latest.index + 1)]
        ids, images = workspace.pixels(np.concatenate(came))
        found = faces.by_ids(transaction, ids)
        apart = faces.are_held_out(transaction, ids)
        answer = Answer.load(workspace.root / first.weights, first)
    vectors, _ = embed(answer.network, images)
    labelled = np.isin(ids, came[0])
    methods = np.array([Path(face.source).parent.name for face in found])
    return SessionZero(answer, images, vectors, methods, labelled, labelled & apart, known)
