"""Counting by DP-means: a face that is too far from every centre founds a class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from owcl.novelty.counting.base import PartitionCount, Registered
from owcl.novelty.counting.partitions import extended, numbered

ROUNDS = 30


class DPMeansCount(PartitionCount):
    """k-means in which the distance that founds a class is the reach of the registered ones.

    Source:
        Kulis and Jordan, Revisiting k-means: new algorithms via Bayesian nonparametrics, ICML 2012.
    """

    def partition(
        self, points: NDArray[np.float32], smallest: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the `(M,)` cluster of each whitened face."""
        rows, pool, anchors = self.look(points, rng)
        reaches = [
            np.quantile(np.linalg.norm(one - one.mean(axis=0), axis=1), 0.95)
            for one in Registered(anchors, self._anchors.classes).of_each()
        ]
        labels = dp_means(pool, float(np.max(reaches)) ** 2)
        return numbered(extended(points, rows, numbered(labels, 2)), smallest)


def dp_means(points: NDArray[np.floating], penalty: float) -> NDArray[np.int64]:
    """Return the `(M,)` cluster of `(M, d)` points.

    Args:
        points: in the order in which they may found clusters; the first centre is their mean.
        penalty: squared distance beyond which a point founds a cluster.
    """
    centres = points.mean(axis=0, keepdims=True)
    labels = np.zeros(len(points), np.int64)
    for _ in range(ROUNDS):
        before = labels
        centres, labels = _assigned(points, centres, penalty)
        present, labels = np.unique(labels, return_inverse=True)
        centres = np.stack([points[labels == number].mean(axis=0) for number in range(len(present))])
        if len(before) == len(labels) and (before == labels).all():
            break
    return labels.astype(np.int64)


def _assigned(
    points: NDArray[np.floating], centres: NDArray[np.floating], penalty: float
) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """Give each point to the nearest centre; the first one too far from all founds a centre, and so on."""
    squares = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
    nearest, distance = squares.argmin(axis=1), squares.min(axis=1)
    while (distance > penalty).any():
        founder = int(np.flatnonzero(distance > penalty)[0])
        to_founder = ((points - points[founder]) ** 2).sum(axis=1)
        # Those before it in the order have had their turn, as in one pass over the points.
        joins = (to_founder < distance) & (np.arange(len(points)) >= founder)
        nearest = np.where(joins, len(centres), nearest)
        distance = np.where(joins, to_founder, distance)
        centres = np.concatenate([centres, points[founder : founder + 1]])
    return centres, nearest.astype(np.int64)
