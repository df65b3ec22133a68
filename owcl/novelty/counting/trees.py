"""Two hierarchies of weighted points: by density and by average distance."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import cdist, squareform

from owcl.novelty.base import NO_CLUSTER

Array = NDArray[np.float64]


@dataclass
class _Branch:
    """A cluster of the condensed tree, from its birth to where it falls apart."""

    node: int
    birth: float
    stability: float = 0.0
    children: list[int] = field(default_factory=list)


def core_distances(distances: Array, weights: Array, radii: Array, neighbours: int) -> Array:
    """Return how far around each point so many faces are.

    Args:
        distances: `(m, m)`.
        weights: `(m,)` faces that each point stands for.
        radii: `(m,)` how far these lie from it; their own spread is all that is known inside of a point.
        neighbours: faces beside the point itself.
    """
    order = np.argsort(distances, axis=1)[:, : neighbours + 1]
    reached = np.cumsum(weights[order], axis=1) > neighbours
    # Where even the farthest considered does not suffice, the farthest counts.
    first = np.where(reached.any(axis=1), reached.argmax(axis=1), order.shape[1] - 1)
    rows = np.arange(len(weights))
    return np.maximum(distances[rows, order[rows, first]], radii)


def density_leaves(
    points: Array, weights: Array, radii: Array, smallest: int, neighbours: int
) -> NDArray[np.int64]:
    """Return the leaves of the density hierarchy; `NO_CLUSTER` for points between them.

    Args:
        points: `(m, d)`.
        weights: `(m,)` faces that each point stands for.
        radii: `(m,)` spread of these faces; 0 where a point is one face.
        smallest: faces of a cluster.
        neighbours: faces by whose distance density is measured.

    Source:
        Campello, Moulavi and Sander, Density-based clustering based on hierarchical density estimates,
        PAKDD 2013, with weights; leaves as in McInnes, Healy and Astels, JOSS 2017.
    """
    labels = np.full(len(points), NO_CLUSTER, np.int64)
    if len(points) < 2:
        return labels
    distances = cdist(points, points)
    core = core_distances(distances, weights, radii, neighbours)
    np.maximum(distances, core[:, None], out=distances)
    np.maximum(distances, core[None, :], out=distances)
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), "single")
    leaves = [branch for branch in condensed(tree, weights, smallest)[1:] if not branch.children]
    for number, branch in enumerate(leaves):
        labels[members(tree, branch.node)] = number
    return labels


def condensed(tree: Array, weights: Array, smallest: int) -> list[_Branch]:
    """Return the branches that hold `smallest` faces; the first is the root."""
    count = len(weights)
    sizes = np.concatenate([weights, np.zeros(len(tree))])
    for row, (left, right) in enumerate(tree[:, :2].astype(int)):
        sizes[count + row] = sizes[left] + sizes[right]
    branches = [_Branch(len(sizes) - 1, 0.0)]
    for branch in branches:
        node = branch.node
        while node >= count:
            left, right = tree[node - count, :2].astype(int)
            large = [int(child) for child in (left, right) if sizes[child] >= smallest]
            if len(large) == 2:
                branch.children = [len(branches), len(branches) + 1]
                branches += [_Branch(child, float(tree[node - count, 2])) for child in large]
            if len(large) != 1:
                break
            node = large[0]
    return branches


def members(tree: Array, node: int) -> list[int]:
    """Return the points under a node of a linkage tree."""
    count = len(tree) + 1
    found, stack = [], [node]
    while stack:
        current = stack.pop()
        if current < count:
            found.append(current)
        else:
            stack += tree[current - count, :2].astype(int).tolist()
    return found
