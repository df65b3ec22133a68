"""The open-set scores by name."""

from __future__ import annotations

from collections.abc import Callable

from owcl import choices
from owcl.errors import NotFound
from owcl.novelty.base import OpenSetScore

SCORES: dict[str, Callable[[], OpenSetScore]] = {
    name: choices.made_at(place) for name, place in choices.SCORES.items()
}


def score_named(name: str) -> OpenSetScore:
    """Return an unfitted score.

    Raises:
        NotFound: if there is none of that name.
    """
    if name not in SCORES:
        raise NotFound(f"open-set score {name!r}: there is none. Choose one of {', '.join(SCORES)}.")
    return SCORES[name]()
