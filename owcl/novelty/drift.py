"""Has something changed, and is it news? Detectors on the stream of p-values, and known faces that drift."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, binom

from owcl.novelty.matching import SMALLEST_SIDE, Verdict, judge_same

ALARM_RATE = 0.05
"""Known faces that are unusual enough to be counted for an alarm."""
SMALLEST_TAIL = 1e-3
"""How improbable a number of unknown faces must be among known ones to be an arrival."""
LARGEST_SURPRISE = 7.0
"""`-ln p` is cut off here, so that one very odd face does not count for many."""


def arrival_count(faces: int, false_alarm_rate: float, calibration: int | None = None) -> int:
    """Return how many unusual faces among so many are more than false alarms would make.

    It is the first k with `P[X >= k] <= 0.001`. X is binomial where the rate is exact; with a threshold from
    `calibration` held-out faces the rate that it really has is itself random, and X is beta-binomial.

    Args:
        faces: that came in.
        false_alarm_rate: share of known faces that are unusual.
        calibration: held-out known faces; None for a threshold that is exact.

    Example:
        >>> arrival_count(200, 0.05)
        22
        >>> arrival_count(200, 0.05, calibration=99)
        33
    """
    counts = np.arange(faces + 1)
    if calibration is None:
        law = binom(faces, false_alarm_rate)
    else:
        unusual = int(false_alarm_rate * (calibration + 1))
        if unusual == 0:
            return faces + 1
        law = betabinom(faces, unusual, calibration + 1 - unusual)
    tail = law.pmf(counts)[::-1].cumsum()[::-1]
    return int(np.append(counts[tail <= SMALLEST_TAIL], faces + 1)[0])


LARGEST_SIDE = 400
"""Faces of a cluster, and of known faces beside it, that a probe compares."""


def compared_with_reposted(
    members: NDArray[np.float32],
    reposted: NDArray[np.float32],
    classes: NDArray[np.int64],
    rng: np.random.Generator,
) -> Verdict | None:
    """Judge whether a cluster is known faces that were compressed again, resized or blurred.

    That moves the faces of every class in a common direction, so that many who come in together look like an
    arrival. They can be told from known faces, but hardly from known faces to which the same was done.

    Args:
        members: `(M, D)` embeddings of the cluster.
        reposted: `(N, D)` of known faces that nothing was trained on, after they were posted again.
        classes: `(N,)` of these.
        rng: draws the faces that are compared, of each class as many as the cluster has near it.

    Returns:
        None if there are too few faces to compare.
    """
    members = members[rng.permutation(len(members))[:LARGEST_SIDE]]
    present = np.unique(classes)
    centres = np.stack([reposted[classes == one].mean(axis=0) for one in present])
    nearest = np.argmin(((members[:, None] - centres[None]) ** 2).sum(axis=2), axis=1)
    counts = np.bincount(nearest, minlength=len(present))
    rows = np.concatenate(
        [
            rng.permutation(np.flatnonzero(classes == one))[:count]
            for one, count in zip(present, counts.tolist(), strict=True)
        ]
    )
    if min(len(members), len(rows)) < SMALLEST_SIDE:
        return None
    return judge_same(members, reposted[rows], rng)


class ArrivalDetector:
    """Watches the surprise of a stream of faces for a lasting change.

    Works on p-values, whose law under known faces is uniform whatever the model, and not on scores, whose
    scale changes with every model version.

    Args:
        delta: how sure ADWIN must be that the mean has changed.

    Source:
        Bifet and Gavaldà, Learning from time-changing data with adaptive windowing, SDM 2007.
    """

    def __init__(self, delta: float = 0.002) -> None:
        from river.drift import ADWIN

        self._detector: Any = ADWIN(delta=delta)  # type: ignore[no-untyped-call]
        self._seen = 0

    def update(self, p_values: Iterable[float]) -> list[int]:
        """Watch faces in their order; return the positions, counted from the first ever, of alarms."""
        alarms = []
        for p_value in p_values:
            before = self._detector.estimation
            self._detector.update(min(-float(np.log(p_value)), LARGEST_SURPRISE))
            if self._detector.drift_detected and self._detector.estimation > before:
                alarms.append(self._seen)
            self._seen += 1
        return alarms
