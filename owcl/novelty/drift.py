"""Has something changed, and is it news? Detectors on the stream of p-values, and known faces that drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, binom

from owcl.novelty.matching import DIFFERENT_ABOVE, SMALLEST_SIDE, Verdict, judge_same

ALARM_RATE = 0.05
"""Known faces that are unusual enough to be counted for an alarm."""
IMPROBABLE = 1e-3
"""How improbable a number of unusual faces must be among known ones to be an arrival."""
RISE = 0.1
"""How much the mean surprise may rise unnoticed, in standard deviations."""
LARGEST_SIDE = 400
"""Faces of a cluster, and of known faces beside it, that a probe compares."""


@dataclass(frozen=True)
class Arrival:
    """More faces of a stream are unusual than known ones would be."""

    unusual: int
    """Faces with a p-value of at most `ALARM_RATE`."""
    since: int | None
    """The position at which the stream was seen to change, where that can be said."""


def arrival(p_values: NDArray[np.float64], calibration: int | None = None) -> Arrival | None:
    """Return the alarm that a stream of faces gives rise to; None for one of known faces.

    Either unusual faces are so many that known ones would hardly make as many, or the stream has changed and
    more are unusual than should be. The second condition spares known faces that come in sorted by method:
    they change too, but are no more unusual than they should be.

    Args:
        p_values: `(N,)` in the order in which the faces came.
        calibration: held-out known faces that the p-values rest on; None for exact ones.
    """
    unusual = int((p_values <= ALARM_RATE).sum())
    since = changed_at(p_values)
    changed = since is not None and unusual > ALARM_RATE * len(p_values)
    if changed or unusual >= arrival_count(len(p_values), ALARM_RATE, calibration):
        return Arrival(unusual, since)
    return None


def arrival_count(faces: int, false_alarm_rate: float, calibration: int | None = None) -> int:
    """Return how many unusual faces among so many are more than false alarms would make.

    It is the first k with `P[X >= k] <= 0.001`. X is binomial where the rate is exact; with a
    threshold from `calibration` held-out faces the rate that it really has is itself random, and X is
    beta-binomial.

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
    at_least = law.pmf(counts)[::-1].cumsum()[::-1]
    return int(np.append(counts[at_least <= IMPROBABLE], faces + 1)[0])


def surprise(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how surprising `(N,)` faces are: `sqrt(12) (1/2 - p)`, of mean 0 and deviation 1 for known ones.

    It grows evenly as p falls. `-ln p` grows with the smallest p-values alone, and methods that lie near the
    known ones hardly have any.

    Args:
        p_values: `(N,)` in (0, 1], uniform for known faces.
    """
    found: NDArray[np.float64] = np.sqrt(12) * (0.5 - p_values)
    return found


def changed_at(p_values: NDArray[np.float64]) -> int | None:
    """Return the position from which on a stream of faces is seen to be more surprising; None if it is not.

    Works on p-values, whose law under known faces is uniform whatever the model, and not on scores, whose
    scale changes with every model version. The mean is that of the stream itself, since held-out faces that
    are few leave all p-values of a model a little too high or too low.

    Args:
        p_values: `(N,)` in the order in which the faces came.

    Source:
        Page, Continuous inspection schemes, Biometrika 1954, as the test of Page and Hinkley.
    """
    from river.drift import PageHinkley

    # With river's default of alpha, a stream forgets in a few thousand faces how calm it has been.
    detector: Any = PageHinkley(delta=RISE, threshold=patience(len(p_values)), alpha=1.0, mode="up")
    for position, value in enumerate(surprise(p_values).tolist()):
        detector.update(value)
        if detector.drift_detected:
            return position
    return None


def patience(faces: int) -> float:
    """Return how much surprise beyond `RISE` is a change: one in 100 streams of known faces has as much.

    Read off simulated streams of 60 to 30,000 faces with uniform p-values.
    """
    return max(12.5, 35.0 + 6.25 * float(np.log(max(faces, 1) / 1000)))


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


def is_reposted(compared: Verdict | None, beside_reposted: bool = False) -> bool:
    """Say whether a cluster that was compared with known faces that were posted again is more of them.

    Args:
        compared: the verdict; None where there were too few faces.
        beside_reposted: whether such faces came with the cluster, of which it may be a part; then it must
            clearly be something else.
    """
    if compared is None:
        return False
    if beside_reposted:
        return compared.answer != "different"
    return compared.high < DIFFERENT_ABOVE
