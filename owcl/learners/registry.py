"""The learners by name: those of `owcl/choices.py`, and recipes to the letter of what was published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from owcl import choices
from owcl.errors import NotFound
from owcl.learners import cal, cpl, mpsl, uncounted_cal
from owcl.learners.base import Learner
from owcl.learners.cal import CAL
from owcl.learners.cpl import CPL
from owcl.learners.mpsl import MPSL
from owcl.learners.uncounted_cal import UncountedCAL
from owcl.models.network import Network

Build = Callable[[Network, torch.Generator, Network | None], Learner]
"""Makes a learner of a network, the randomness of its views, and the last accepted network to distil from."""


def _ours(learner: Callable[..., Learner]) -> Build:
    return lambda network, rng, teacher: learner(network, rng, teacher=teacher)


def _published(learner: type, official: Any) -> Build:
    """Build by a preset to the letter; only where there is a teacher, with distillation added."""

    def build(network: Network, rng: torch.Generator, teacher: Network | None) -> Learner:
        recipe = official if teacher is None else replace(official, distillation=1.0)
        made: Learner = learner(network, rng, recipe, teacher)
        return made

    return build


LEARNERS: dict[str, Build] = {name: _ours(choices.made_at(place)) for name, place in choices.LEARNERS.items()}
"""Those that may learn what was discovered; found faces have labels by then."""
PUBLISHED: dict[str, Build] = {
    "cpl": _published(CPL, cpl.OFFICIAL),
    "mpsl": _published(MPSL, mpsl.OFFICIAL),
    "cal": _published(CAL, cal.OFFICIAL),
    "cal_uncounted": _published(UncountedCAL, uncounted_cal.OFFICIAL),
}
"""The presets that follow published code to the letter, for outputs on which there are no labels."""
REPRODUCED: dict[str, tuple[type, Any]] = {
    "cpl": (CPL, replace(cpl.OFFICIAL, view="cropped", by_epoch=True)),
    "mpsl": (MPSL, replace(mpsl.OFFICIAL, view="cropped", by_epoch=True)),
    "cal": (CAL, replace(cal.OFFICIAL, weak="mirrored", by_epoch=True)),
    "cal_uncounted": (UncountedCAL, replace(uncounted_cal.OFFICIAL, weak="mirrored", by_epoch=True)),
}
"""The same with views and epochs as published too, for published benchmarks. In a stream the views are ours,
so that a table compares ideas."""
UNCOUNTED: dict[str, Build] = {"cal_uncounted": _ours(UncountedCAL)}
"""Those that are not told how many classes there are."""
NEED_LABELS = frozenset({"er", "der", "supervised"})
"""Learners that pass over unlabelled faces."""


def reproduced(name: str, epochs: int) -> Build:
    """Return how to build a learner of `REPRODUCED` that is trained for so many epochs."""
    learner, official = REPRODUCED[name]
    # Those of CAL are the clock by which its thresholds change and its prototypes go.
    recipe = replace(official, epochs=epochs) if isinstance(official, cal.Recipe) else official
    return _published(learner, recipe)


def first_outputs(name: str, num_known: int, num_classes: int) -> int:
    """Return how many outputs the head of a learner begins with.

    Args:
        name: of the learner.
        num_known: classes that have labels.
        num_classes: of all faces; a learner that is not told it begins with far more outputs.
    """
    return uncounted_cal.OUTPUTS_PER_KNOWN * num_known if name in UNCOUNTED else num_classes


def settle(learner: Learner) -> None:
    """After training, leave the head of a learner the outputs that it answers with."""
    if isinstance(learner, UncountedCAL):
        learner.settle()


def learner_named(name: str) -> Build:
    """Return how to build a learner.

    Raises:
        NotFound: if there is none of that name.
    """
    if name not in LEARNERS:
        raise NotFound(f"learner {name!r}: there is none of that name. Choose one of {', '.join(LEARNERS)}.")
    return LEARNERS[name]
