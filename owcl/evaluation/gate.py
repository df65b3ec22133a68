"""May a new model version answer? Only if what was known before is still known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_FALL = 0.01
"""Accuracy on held-out faces that a new model version may lose, beyond what chance explains."""
CHANCE = 1.64
"""Standard deviations of the difference of two equally good models that one in twenty exceeds."""
SMALLEST_KEPT = 0.9
"""Share that every class must keep of the exemplars which it would have with the present network."""

Ids = NDArray[np.int64]


def gate(
    truth: Ids, before: Ids, after: Ids, exemplar_ids: Ids, taken_without: Ids, taken_with: Ids
) -> dict[str, Any]:
    """Say whether a new model version may answer, and on what evidence.

    Of two equally good models, each is as likely to be the one that is right about a face on which they
    differ, so that over `D` such faces the numbers of right answers differ by `sqrt(D)`, give or take.
    Without held-out faces nothing speaks for the new version, and the present one stays.

    A class of which some exemplars lie among those of another one never has all of them, and new classes take
    some from those beside them whatever the network. So a class must keep its exemplars as measured by what
    it would have if the present network were to answer for the new classes too.

    Args:
        truth: `(M,)` classes of held-out faces of labelled classes.
        before: `(M,)` what the present version takes them for.
        after: `(M,)` what the new version takes them for.
        exemplar_ids: `(N,)` classes of those remembered faces whose class the present version knows.
        taken_without: `(N,)` what they would be taken for without the new network.
        taken_with: `(N,)` what the new version takes them for.

    Returns:
        `passed`; `acc_known_before` and `acc_known_after` in [0, 1], none where there is no held-out face;
        `exemplars_kept`, by class id, how many a class has as a share of those without the new network, at
        most 1.

    That no two ids swap needs no look of its own: neither would keep its exemplars.
    """
    right_before, right_after = before == truth, after == truth
    lost = int(right_before.sum()) - int(right_after.sum())
    explained = CHANCE * math.sqrt((right_before != right_after).sum())
    kept = {}
    for class_id in np.unique(exemplar_ids).tolist():
        rows = exemplar_ids == class_id
        had, has = (int((taken[rows] == class_id).sum()) for taken in (taken_without, taken_with))
        kept[str(class_id)] = round(min(1.0, has / had), 4) if had else 1.0
    known = len(truth) > 0 and lost <= LARGEST_FALL * len(truth) + explained
    return {
        "passed": known and min(kept.values(), default=1.0) >= SMALLEST_KEPT,
        "acc_known_before": float(right_before.mean()) if len(truth) else None,
        "acc_known_after": float(right_after.mean()) if len(truth) else None,
        "exemplars_kept": kept,
    }
