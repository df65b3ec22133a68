"""The open-set scores by name. A new one is a file of its own and a line here.

Its name goes into `owcl/config.py` as well, which checks `owcl.toml` without importing any of them.
"""

from __future__ import annotations

from collections.abc import Callable

from owcl.errors import NotFound
from owcl.novelty.base import OpenSetScore
from owcl.novelty.scores.energy import EnergyScore
from owcl.novelty.scores.ensemble import EnsembleScore
from owcl.novelty.scores.mahalanobis import MahalanobisScore
from owcl.novelty.scores.mixtures import MixtureScore
from owcl.novelty.scores.neighbours import NearestNeighbourScore
from owcl.novelty.scores.softmax import SoftmaxScore
from owcl.novelty.scores.vim import ViMScore

SCORES: dict[str, Callable[[], OpenSetScore]] = {
    "neighbours": NearestNeighbourScore,
    "softmax": SoftmaxScore,
    "energy": EnergyScore,
    "mahalanobis": MahalanobisScore,
    "relative_mahalanobis": lambda: MahalanobisScore(relative=True),
    "mixtures": MixtureScore,
    "vim": ViMScore,
    "ensemble": lambda: EnsembleScore(
        [NearestNeighbourScore(), MahalanobisScore(relative=True), ViMScore(), EnergyScore()]
    ),
}


def score_named(name: str) -> OpenSetScore:
    """Return an unfitted score.

    Raises:
        NotFound: if there is none of that name.
    """
    if name not in SCORES:
        raise NotFound(f"open-set score {name!r}: there is none. Choose one of {', '.join(SCORES)}.")
    return SCORES[name]()
