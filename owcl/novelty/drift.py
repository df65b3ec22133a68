"""Has something changed? Detectors on the stream of p-values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.stats import betabinom, binom

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
