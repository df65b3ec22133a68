"""Scores to p-values, and p-values to a pool of arrivals with few known faces in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from owcl.errors import BadInput

NULL_ABOVE = 0.5
"""P-values above it are taken to be of known faces when their share is estimated."""


def conformal_p_values(calibration: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Say how unusual each face would be if it were of a known class.

    Calling faces with p <= a novel gives false alarms at a rate of at most a, on average over calibration
    sets, if the calibration faces were not trained on and are exchangeable with the known faces to come.

    Args:
        calibration: `(M,)` scores of held-out known faces; higher is more novel.
        scores: `(N,)` scores of the faces in question, by the same fitted score.

    Returns:
        `(N,)` p-values in `[1 / (M + 1), 1]`.

    Raises:
        BadInput: if there is no calibration score, or a NaN.

    Example:
        >>> conformal_p_values(np.array([0.1, 0.2, 0.3]), np.array([0.25, 0.9])).tolist()
        [0.5, 0.25]

    Source:
        Bates, Candès, Lei, Romano and Sesia, Testing for outliers with conformal p-values, Annals of
        Statistics 2023 (arXiv 2104.08279).
    """
    if calibration.size == 0 or np.isnan(calibration).any() or np.isnan(scores).any():
        raise BadInput(
            f"calibration: {calibration.size} scores, {np.isnan(calibration).sum()} of them NaN; "
            f"{np.isnan(scores).sum()} NaN among the scores to judge. At least one score and no NaN is "
            "expected. Hold out more known faces."
        )
    ordered = np.sort(calibration)
    at_least = ordered.size - np.searchsorted(ordered, scores, side="left")
    p_values: NDArray[np.float64] = (1 + at_least) / (1 + ordered.size)
    return p_values


def conformal_threshold(calibration: NDArray[np.float64], rate: float) -> float:
    """Return the score above which a face is unknown at a false-alarm rate; infinite if too few calibrate.

    It is the `ceil((M + 1)(1 - rate))`-th smallest of the `(M,)` calibration scores.
    """
    index = math.ceil((calibration.size + 1) * (1 - rate) - 1e-9)
    return math.inf if index > calibration.size else float(np.sort(calibration)[index - 1])


def realised_rate_range(calibration_size: int, rate: float, coverage: float = 0.95) -> tuple[float, float]:
    """Return the range of the false-alarm rate that one calibration set of this size really has.

    It is Beta(n + 1 - k, k)-distributed with `k = ceil((n + 1)(1 - rate))`.
    """
    index = math.ceil((calibration_size + 1) * (1 - rate) - 1e-9)
    law = beta(calibration_size + 1 - index, index)
    return float(law.ppf((1 - coverage) / 2)), float(law.ppf((1 + coverage) / 2))


@dataclass(frozen=True)
class Selection:
    """Faces that are not known, with a bound on the known ones among them."""

    chosen: NDArray[np.bool_]
    """`(N,)`."""
    threshold: float
    """Largest p-value chosen; 0 where none was."""
    known_share: float
    """Estimated share of known faces among all N."""


def select_arrivals(p_values: NDArray[np.float64], false_discovery_rate: float) -> Selection:
    """Choose as many faces as a false-discovery rate allows.

    When few faces are new, only the most unusual are chosen; when most are, also those that each alone
    would pass for known. When none is new, hardly any are chosen.

    Args:
        p_values: `(N,)` conformal p-values.
        false_discovery_rate: expected share of known faces among the chosen.

    Source:
        Benjamini and Hochberg, JRSS B 1995, with the share of nulls after Storey, JRSS B 2002; for
        conformal p-values Bates et al., Annals of Statistics 2023.
    """
    count = len(p_values)
    if not count:
        return Selection(np.zeros(0, bool), 0.0, 1.0)
    known_share = min(1.0, (1 + (p_values > NULL_ABOVE).sum()) / (count * (1 - NULL_ABOVE)))
    ordered = np.sort(p_values)
    allowed = ordered * count * known_share <= false_discovery_rate * np.arange(1, count + 1)
    threshold = float(ordered[allowed][-1]) if allowed.any() else 0.0
    return Selection(p_values <= threshold, threshold, float(known_share))
