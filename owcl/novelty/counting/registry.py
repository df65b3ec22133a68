"""Estimators of the number of new classes by name."""

from __future__ import annotations

from collections.abc import Mapping

from owcl import choices
from owcl.errors import NotFound
from owcl.novelty.counting.base import PartitionCount

ESTIMATORS: Mapping[str, type[PartitionCount]] = {
    name: choices.made_at(place) for name, place in choices.ESTIMATORS.items()
}


def estimator_named(name: str) -> type[PartitionCount]:
    """Return a kind of estimator.

    Raises:
        NotFound: if there is none of that name.
    """
    if name not in ESTIMATORS:
        raise NotFound(f"estimator {name!r}: there is none. Choose one of {', '.join(ESTIMATORS)}.")
    return ESTIMATORS[name]
