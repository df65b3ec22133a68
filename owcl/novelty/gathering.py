"""Did a cluster come in, or did it only gather? What known faces give by themselves, given enough time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from owcl.novelty.matching import SMALLEST_SIDE, probe_scores

IMPROBABLE = 0.01
"""How improbable it must be that known faces alone gather as many in the time."""
ATYPICAL = 0.25
"""Share of a cluster, that which is least like it, that is not counted: among it are faces of others."""


def gathered_by_chance(
    members: NDArray[np.float32],
    came: NDArray[np.int64],
    ingested: Mapping[int, int],
    held_out: NDArray[np.float32],
    looks: int,
    rng: np.random.Generator,
) -> float:
    """Return how probable it is that known faces of which some look like it make a cluster, given the time.

    Unusual faces of a known method stay in the pool for as long as nobody takes them, and after ten
    experiences are as many as a method that arrives, all of one kind. But they come in no faster than their
    like is found among held-out known faces. A probe tells the cluster from those; the three quarters of its
    members that are most like it are counted, and the held-out faces that are as much like it, by Fisher's
    exact test against the faces that came in since some experience: the one that says most for the cluster.
    The p-value is that times how many experiences there are to choose from, and times how often the cluster
    was looked at (Bonferroni).

    Args:
        members: `(M, D)` embeddings of the cluster.
        came: `(M,)` experiences in which its faces came in.
        ingested: experience → all faces that came in with it, for those of `came` and all that lie between.
        held_out: `(N, D)` embeddings of known faces that nothing was trained on.
        looks: how often the cluster was judged, with this time.
        rng: draws the folds of the probe.

    Returns:
        A p-value; 1 where fewer than 20 faces on a side say nothing.
    """
    if min(len(members), len(held_out)) < SMALLEST_SIDE:
        return 1.0
    on_held_out, on_members = probe_scores(held_out, members, rng)
    typical = np.quantile(on_members, ATYPICAL)
    alike = int((on_held_out >= typical).sum())
    core = came[on_members >= typical]
    since = np.unique(core)
    counted = (core >= since[:, None]).sum(axis=1)
    passed = np.array([sum(count for index, count in ingested.items() if index >= first) for first in since])
    p_values = hypergeom.sf(counted - 1, passed + len(held_out), counted + alike, passed)
    return float(min(1.0, looks * len(since) * p_values.min()))
