"""Two methods in one cluster: halves whose spectra differ too are no modes of one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from owcl.novelty.base import CountEstimate
from owcl.novelty.counting.partitions import nearest_centres, sample
from owcl.novelty.counting.scaled_density import (
    LARGEST_SIDE,
    SMALLEST_EXEMPLARS,
    USUAL,
    halves,
    pair,
    separation,
)
from owcl.novelty.whitening import WithinClassWhitening

APART = 1.25
"""How much farther apart than those of registered classes usually are the halves of a cluster must be."""
APART_IN_SPECTRA = 2.5
"""Separation of the spectra of two methods, at least. Those of the halves of one new method of forge64 and
rendered, more than 30 faces each, are at most 2.1 apart; those of eigenface and reenact_warp, 4."""


class SpectralDivision:
    """Divides clusters whose halves have different spectra.

    A generator has modes, which an embedding that was trained to see traces of generators sees as well. But
    its modes share the curve that its up-sampling or blending leaves in the spectrum, to which the
    embedding owes nothing. So a cluster is two methods if its halves are farther apart than those of
    registered classes usually are in the whitened embedding, by which they are halved, and than those of any
    registered class are in the whitened spectra. Nothing is ever joined: two methods may well have the
    same spectrum.

    Args:
        vectors: `(N, D)` embeddings of exemplars.
        spectra: `(N, F)` of the same faces.
        class_ids: `(N,)` their registered classes.

    Raises:
        BadInput: if no class has two exemplars, or an entry is not finite.
    """

    def __init__(
        self, vectors: NDArray[np.float32], spectra: NDArray[np.float32], class_ids: NDArray[np.int64]
    ) -> None:
        self._embedding = WithinClassWhitening().fit(vectors, class_ids)
        self._mean, self._deviation = spectra.mean(axis=0), spectra.std(axis=0) + 1e-6
        self._spectra = WithinClassWhitening().fit(self._standard(spectra), class_ids)
        rng = np.random.default_rng(0)
        points, curves = self._whitened(vectors, spectra)
        present, counts = np.unique(class_ids, return_counts=True)
        found = [
            _separations(points[class_ids == one], curves[class_ids == one], rng)[1:]
            for one in present[counts >= SMALLEST_EXEMPLARS].tolist()
        ]
        self.apart = self.apart_in_spectra = np.inf
        if found:
            insides, in_spectra = np.transpose(found)
            self.apart = APART * float(np.quantile(insides, USUAL))
            self.apart_in_spectra = max(APART_IN_SPECTRA, float(in_spectra.max()))

    def divided(
        self,
        estimate: CountEstimate,
        vectors: NDArray[np.float32],
        spectra: NDArray[np.float32],
        smallest: int,
        rng: np.random.Generator,
        whole: frozenset[int] = frozenset(),
    ) -> CountEstimate:
        """Return the estimate with clusters divided that are two methods or more.

        The interval reaches to the new count, and a part is as stable as the cluster was.

        Args:
            estimate: of a pool of M faces.
            vectors: `(M, D)`.
            spectra: `(M, F)`.
            smallest: faces that make a class.
            rng: draws what is looked at of a large cluster.
            whole: clusters that are not to be divided.
        """
        labels, stability = estimate.labels.copy(), list(estimate.stability)
        ahead = [cluster for cluster in range(estimate.value) if cluster not in whole]
        while ahead:
            cluster = ahead.pop()
            rows = np.flatnonzero(labels == cluster)
            other = self._other(vectors[rows], spectra[rows], smallest, rng)
            if not other.any():
                continue
            labels[rows[other]] = len(stability)
            ahead += [cluster, len(stability)]
            stability.append(stability[cluster])
        value = len(stability)
        evidence = {**estimate.evidence, "divided_by_spectra": value - estimate.value}
        high = max(estimate.high, value)
        return replace(
            estimate, value=value, high=high, labels=labels, stability=tuple(stability), evidence=evidence
        )

    def _other(
        self,
        vectors: NDArray[np.float32],
        spectra: NDArray[np.float32],
        smallest: int,
        rng: np.random.Generator,
    ) -> NDArray[np.bool_]:
        """Return `(M,)` which faces of a cluster are of another method than the rest; none of one method."""
        nobody = np.zeros(len(vectors), bool)
        if len(vectors) < 2 * smallest:
            return nobody
        seen = sample(len(vectors), 2 * LARGEST_SIDE, rng)
        sides, apart, in_spectra = _separations(*self._whitened(vectors[seen], spectra[seen]), rng)
        if apart < self.apart or in_spectra < self.apart_in_spectra:
            return nobody
        points = self._embedding.transform(vectors)
        centres = np.stack([points[seen[sides == side]].mean(axis=0) for side in (0, 1)])
        other: NDArray[np.bool_] = nearest_centres(points, np.arange(len(points)), centres)[0] == 1
        return other if min(other.sum(), (~other).sum()) >= smallest else nobody

    def _whitened(
        self, vectors: NDArray[np.float32], spectra: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self._embedding.transform(vectors), self._spectra.transform(self._standard(spectra))

    def _standard(self, spectra: NDArray[np.float32]) -> NDArray[np.float32]:
        standard: NDArray[np.float32] = (spectra - self._mean) / self._deviation
        return standard


def _separations(
    points: NDArray[np.float32], curves: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.int64], float, float]:
    """Return the halves of some faces by their embeddings, and how far apart these are, and their spectra."""
    sides, apart = halves(points, rng)
    if min((sides == 0).sum(), (sides == 1).sum()) < 2:
        return sides, 0.0, 0.0
    return sides, apart, separation(*pair(curves[sides == 0], curves[sides == 1]))
