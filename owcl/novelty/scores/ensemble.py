"""Several scores as one: none of them is the best on every generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from owcl.errors import BadInput
from owcl.novelty.base import OpenSetScore
from owcl.novelty.scores.energy import EnergyScore
from owcl.novelty.scores.mahalanobis import relative_mahalanobis
from owcl.novelty.scores.neighbours import NearestNeighbourScore
from owcl.novelty.scores.vim import ViMScore

FOLDS = 5


class EnsembleScore:
    """The mean rank of a face among known faces that the scores did not see, over all scores.

    Args:
        members: unfitted scores.

    Source:
        Ours; ranks make scores of any scale comparable, as p-values do, and cross-fitting keeps a score that
        remembers its faces from ranking every other one as new.
    """

    def __init__(self, members: Sequence[OpenSetScore]) -> None:
        self.members = tuple(members)

    def fit(self, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Self:
        """Learn `(N, D)` embeddings of known faces and their `(N,)` labels.

        Raises:
            BadInput: if no class has 5 faces, or a score cannot be fitted.
        """
        from sklearn.model_selection import StratifiedKFold

        _, numbers, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        if sizes.max() < FOLDS:
            raise BadInput(
                f"ensemble of scores: the largest known class has {sizes.max()} faces. At least {FOLDS} are "
                "expected. Add labelled faces."
            )
        # A person may make a class of one face; classes too small for every fold are spread with the largest.
        strata = np.where(sizes[numbers] < FOLDS, sizes.argmax(), numbers)
        held_out = np.empty((len(self.members), len(embeddings)))
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        for train, test in folds.split(embeddings, strata):
            for row, member in enumerate(self.members):
                held_out[row, test] = member.fit(embeddings[train], labels[train]).score(embeddings[test])
        self._known = np.sort(held_out, axis=1)
        for member in self.members:
            member.fit(embeddings, labels)
        return self

    def score(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return `(N,)` scores of `(N, D)` embeddings, in [0, 1]."""
        ranks = [
            np.searchsorted(known, member.score(embeddings), side="right") / len(known)
            for known, member in zip(self._known, self.members, strict=True)
        ]
        mean: NDArray[np.float64] = np.mean(ranks, axis=0)
        return mean


def default_ensemble() -> EnsembleScore:
    """Return the ensemble of distances to faces and to classes, of a subspace and of the logits."""
    return EnsembleScore([NearestNeighbourScore(), relative_mahalanobis(), ViMScore(), EnergyScore()])
