"""Discovered classes may lie on labelled ones: how far must a face lead before it goes over to them?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def handicaps_within_budget(leads: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """Return the `(C,)` handicaps with which guessed classes take over few faces, all of them together.

    Every class gets the same share of the faces, the largest that keeps to the budget.

    Args:
        leads: `(M, C)` by which guessed classes lead the right one on faces of labelled classes.
        rate: share of the faces that may go over.

    Example:
        >>> handicaps_within_budget(np.array([[0.5], [0.2], [-0.1], [-0.3]]), 0.4)
        array([0.2])
    """
    for each in np.linspace(rate, 0, 21):
        handicaps = np.maximum(np.quantile(leads, 1 - each, axis=0, method="higher"), 0)
        if (leads > handicaps).any(axis=1).mean() <= rate:
            break
    return np.asarray(handicaps, np.float64)


def handicap_with_few_errors(theirs: NDArray[np.float64], its_own: NDArray[np.float64]) -> float:
    """Return the handicap at which a class and those beside it lose few faces to each other.

    It is the largest, which spares the others most, of those whose number of lost faces is within a standard
    deviation (its square root) of the fewest: on so few held-out faces they cannot be told apart.

    Args:
        theirs: `(M,)` by which the class leads on faces of others.
        its_own: `(N,)` by which it leads on its own.

    Example:
        >>> handicap_with_few_errors(np.array([0.6, 0.5, 0.4, 0.2, -0.1]), np.full(7, 0.3))
        0.2

    Source:
        Breiman et al., Classification and Regression Trees, 1984: the rule of one standard error.
    """
    tried = np.append(np.unique(theirs[theirs > 0])[::-1], 0.0)
    taken = (theirs[None] > tried[:, None]).sum(axis=1)
    missed = (its_own[None] <= tried[:, None]).sum(axis=1)
    errors = taken + missed
    return float(tried[np.argmax(errors <= errors.min() + np.sqrt(errors.min()))])
