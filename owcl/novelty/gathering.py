"""Did a cluster come in, or did it only gather? What known faces give by themselves, given enough time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from owcl.novelty.matching import SMALLEST_SIDE, probe_scores

IMPROBABLE = 0.01
"""How improbable it must be that known faces alone ever gather so fast. That holds of one cluster; as one
grows, it is judged by other faces each time."""
ATYPICAL = 0.25
"""Share of a cluster, that which is least like it, that is not counted: among it are faces of others."""
JEFFREYS = 0.5
"""Of the prior of a rate, Beta(0.5, 0.5)."""


@dataclass(frozen=True)
class Incoming:
    """When faces came in, and the known class that each looks most like; both `(N,)`."""

    experiences: NDArray[np.int64]
    class_ids: NDArray[np.int64]

    def since(self, experiences: NDArray[np.int64], class_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many faces of each of `(C,)` classes came in since each of `(E,)` experiences, `(E, C)`.

        Both ascend.
        """
        counted = np.isin(self.class_ids, class_ids) & (self.experiences >= experiences[0])
        rows = np.searchsorted(experiences, self.experiences[counted], side="right") - 1
        columns = np.searchsorted(class_ids, self.class_ids[counted])
        counts = np.zeros((len(experiences), len(class_ids)), np.int64)
        np.add.at(counts, (rows, columns), 1)
        return counts[::-1].cumsum(axis=0)[::-1]


@dataclass(frozen=True)
class Gathering:
    """What the time that a cluster took says for known faces."""

    p_value: float
    """How probable it is, at the most, that they ever seem to come in so fast."""
    alike: int
    """Held-out faces that are as much like it; with none, more of them might tell."""


def gathered_by_chance(
    members: NDArray[np.float32],
    cluster: Incoming,
    everyone: Incoming,
    held_out: NDArray[np.float32],
    held_out_class_ids: NDArray[np.int64],
    rng: np.random.Generator,
) -> Gathering:
    """Say how probable it is that known faces of which some look like it make a cluster, given the time.

    Unusual faces of a known method stay in the pool for as long as nobody takes them, and after ten
    experiences are as many as a method that arrives, all of one kind. But they come in no faster than their
    like is found among held-out known faces. A probe tells the cluster from those; the three quarters of its
    members that are most like it are counted, and the held-out faces that are as much like it. By how much
    two rates explain the counts better than one is a Bayes factor with Jeffreys priors, the mean of those
    since each experience in which one of its faces came in, as any may be the one of the arrival. Its
    reciprocal is a p-value that holds however often one looks (Ville's inequality; Grünwald, de Heide and
    Koolen, Safe Testing, JRSS B 2024, section 2).

    A stream need not have the held-out faces' mix of classes: that of the faces that the cluster is taken for
    counts, so that outliers of `real` are no arrival where nearly all that comes in is real.

    Args:
        members: `(M, D)` embeddings of the cluster.
        cluster: `(M,)` when they came in, and what they look like.
        everyone: `(F,)` the same of all faces that came in, of which they are some.
        held_out: `(N, D)` embeddings of known faces that nothing was trained on.
        held_out_class_ids: `(N,)` what those look like.
        rng: draws the folds of the probe.
    """
    if min(len(members), len(held_out)) < SMALLEST_SIDE:
        return Gathering(1.0, 0)
    on_held_out, on_members = probe_scores(held_out, members, rng)
    typical = np.quantile(on_members, ATYPICAL)
    alike = int(np.count_nonzero(on_held_out >= typical))
    core = Incoming(cluster.experiences[on_members >= typical], cluster.class_ids[on_members >= typical])
    since, classes = np.unique(core.experiences), np.unique(core.class_ids)
    counted, passed = core.since(since, classes), everyone.since(since, classes)
    would_pass = (held_out_class_ids[:, None] == classes).sum(axis=0) / np.maximum(passed, 1)
    compared = passed.sum(axis=1) * (counted * would_pass).sum(axis=1) / counted.sum(axis=1)
    factors = _faster(counted.sum(axis=1), passed.sum(axis=1), alike, compared)
    return Gathering(1 / max(1.0, float(factors.mean())), alike)


def _faster(
    counted: NDArray[np.int64], passed: NDArray[np.int64], alike: int, held_out: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return Bayes factors for two rates against one, 0 where the first is not the higher one.

    Args:
        counted: `(E,)` of so many faces that `passed`.
        passed: `(E,)`.
        alike: of so many `held_out`.
        held_out: `(E,)`.
    """
    others = np.maximum(held_out - alike, 0.0)
    two = betaln(counted + JEFFREYS, passed - counted + JEFFREYS) - betaln(JEFFREYS, JEFFREYS)
    one = betaln(alike + counted + JEFFREYS, others + passed - counted + JEFFREYS)
    one = one - betaln(alike + JEFFREYS, others + JEFFREYS)
    faster = counted * (alike + others) > alike * passed
    with np.errstate(over="ignore"):  # A factor beyond all numbers is infinite, and its reciprocal 0.
        return np.exp(np.where(faster, two - one, -np.inf))
