"""Are the faces that are attributed to a class still like it? A test that also sees what no p-value shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.stats import f as f_law

DIMENSIONS = 16
WINDOWS = (50, 100, 200)
"""How many of the latest faces are compared with known ones."""
STEP = 25
"""Faces from one look to the next."""
FEWEST = 8
"""Faces of a class, on either side, without which nothing is said of it."""
PRIOR_FACES = 100
"""Faces of a class that the covariance of all classes counts as, beside those that there are of it."""
IMPROBABLE = 1e-4
"""p-value of one look that is an alarm. At 1,000 known faces there are some hundred looks at each class, most
of them at the same faces."""


@dataclass(frozen=True)
class Shift:
    """The faces that are attributed to a class are not where known ones are."""

    position: int
    """Of the last face of the first look that showed it."""
    class_id: int


class ShiftTest:
    """Compares the mean embedding of the latest faces attributed to a class with that of known ones.

    A method that lies among the known ones makes no face that is unusual by itself. But its faces all lie on
    one side of the class that they are taken for, where the errors of known faces cancel out.

    Residuals from the means of the classes are taken in the directions in which known faces vary most,
    whitened, and shortened to the square root of the number of directions where they are longer, so that a
    few outliers do not make a mean. Classes differ in how far their faces lie apart: each has a covariance of
    its own, shrunk towards that of all, as few faces of it are known.

    Args:
        vectors: `(M, D)` embeddings of known faces that nothing was trained on.
        class_ids: `(M,)` what the model takes them for, right or wrong, as it will those that come.

    Source:
        Hotelling, The generalization of Student's ratio, Annals of Mathematical Statistics 1931: the
        two-sample test. Friedman, Regularized discriminant analysis, JASA 1989: the covariances.
    """

    def __init__(self, vectors: NDArray[np.floating], class_ids: NDArray[np.int64]) -> None:
        self.class_ids, columns, self._counts = np.unique(class_ids, return_inverse=True, return_counts=True)
        freedom = len(vectors) - len(self.class_ids)
        self._dimensions = min(DIMENSIONS, vectors.shape[1], freedom // 2)
        if self._dimensions < 1:
            return
        self._origin = vectors.mean(axis=0)
        around = (vectors - self._origin).astype(np.float64)
        widest = (around.shape[1] - self._dimensions, around.shape[1] - 1)
        self._directions = eigh(around.T @ around, subset_by_index=widest)[1]
        self._means, self._whiten = _law((vectors - self._origin) @ self._directions, columns, freedom)
        shortened = self._shortened(vectors, columns)
        self._centres, self._shape = _law(shortened, columns, freedom)
        residuals = (shortened - self._centres[columns]) @ self._shape
        self._freedom = np.minimum(self._counts - 1 + PRIOR_FACES, freedom)
        self._precisions = _shrunk_precisions(residuals, columns)

    def first(self, vectors: NDArray[np.floating], class_ids: NDArray[np.int64]) -> Shift | None:
        """Return the first shift in a stream of faces; None if there is none.

        Args:
            vectors: `(N, D)` embeddings in the order in which the faces came.
            class_ids: `(N,)` what the model takes them for.
        """
        looks = self.p_values(vectors, class_ids)
        improbable = (looks <= IMPROBABLE).any(axis=1)
        if not improbable.any():
            return None
        look = int(improbable.argmax())
        position = min((look + 1) * STEP, len(vectors)) - 1
        return Shift(position, int(self.class_ids[looks[look].argmin()]))

    def p_values(self, vectors: NDArray[np.floating], class_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the `(L, C)` smallest p-values over all windows that end with a look, one look a `STEP`.

        1 where there are too few faces to say anything.

        Args:
            vectors: `(N, D)` embeddings in the order in which the faces came.
            class_ids: `(N,)` what the model takes them for.
        """
        looks = -(-len(vectors) // STEP)
        if self._dimensions < 1 or not looks:
            return np.ones((looks, len(self.class_ids)))
        ours = np.isin(class_ids, self.class_ids)
        columns = np.searchsorted(self.class_ids, class_ids[ours])
        blocks = np.flatnonzero(ours) // STEP
        counts = np.zeros((looks + 1, len(self.class_ids)))
        sums = np.zeros((*counts.shape, self._dimensions))
        np.add.at(counts, (blocks + 1, columns), 1)
        residuals = (self._shortened(vectors[ours], columns) - self._centres[columns]) @ self._shape
        np.add.at(sums, (blocks + 1, columns), residuals)
        counts, sums = counts.cumsum(axis=0), sums.cumsum(axis=0)
        ends = np.arange(1, looks + 1)
        found = np.ones((looks, len(self.class_ids)))
        for window in WINDOWS:
            begins = np.maximum(ends - window // STEP, 0)
            found = np.minimum(found, self._tails(counts[ends] - counts[begins], sums[ends] - sums[begins]))
        return found

    def _shortened(self, vectors: NDArray[np.floating], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        residuals = ((vectors - self._origin) @ self._directions - self._means[columns]) @ self._whiten
        lengths = np.linalg.norm(residuals, axis=1, keepdims=True) / np.sqrt(self._dimensions)
        shortened: NDArray[np.float64] = residuals / np.maximum(lengths, 1)
        return shortened

    def _tails(self, counts: NDArray[np.float64], sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the p-values of Hotelling's statistic for `(..., C)` counts and `(..., C, d)` sums."""
        enough = (counts >= FEWEST) & (self._counts >= FEWEST)
        both = counts * self._counts / np.maximum(counts + self._counts, 1)
        means = sums / np.maximum(counts, 1)[..., None]
        squared = both * np.einsum("...ci,cij,...cj->...c", means, self._precisions, means)
        left = self._freedom - self._dimensions + 1
        ratio = squared * left / (self._dimensions * self._freedom)
        return np.where(enough, f_law.sf(ratio, self._dimensions, left), 1.0)


def _law(
    points: NDArray[np.float64], columns: NDArray[np.int64], freedom: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the `(C, d)` means of classes, and the `(d, d)` map that whitens what is around them."""
    shares = np.eye(columns.max() + 1)[columns]
    means = (shares.T @ points) / shares.sum(axis=0)[:, None]
    around = points - means[columns]
    covariance = around.T @ around / freedom + 1e-9 * np.eye(points.shape[1])
    whiten: NDArray[np.float64] = np.linalg.cholesky(np.linalg.inv(covariance))
    return means, whiten


def _shrunk_precisions(residuals: NDArray[np.float64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the `(C, d, d)` inverse covariances of classes; that of all residuals is the unit one."""
    classes = [residuals[columns == column] for column in range(columns.max() + 1)]
    unit = np.eye(residuals.shape[1])
    shrunk = [(mine.T @ mine + PRIOR_FACES * unit) / (len(mine) - 1 + PRIOR_FACES) for mine in classes]
    precisions: NDArray[np.float64] = np.linalg.inv(np.stack(shrunk))
    return precisions
