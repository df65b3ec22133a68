"""Has something changed? Detectors on the stream of p-values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.stats import binom

SMALLEST_TAIL = 1e-3
"""How improbable a number of unknown faces must be among known ones to be an arrival."""
LARGEST_SURPRISE = 7.0
"""`-ln p` is cut off here, so that one very odd face does not count for many."""


def arrival_count(faces: int, false_alarm_rate: float) -> int:
    """Return how many unknown faces among so many are more than false alarms would make.

    It is the first k with `P[Binomial(faces, rate) >= k] <= 0.001`.

    Example:
        >>> arrival_count(200, 0.05)
        22
    """
    counts = np.arange(faces + 2)
    return int(counts[binom.sf(counts - 1, faces, false_alarm_rate) <= SMALLEST_TAIL][0])


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
