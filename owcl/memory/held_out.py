"""Which labelled and ingested faces are for calibration: drawn once, so that they are never trained on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def is_drawn(sha256: str, share: float) -> bool:
    """Say whether a face is held out that is drawn by itself: its content decides."""
    return int(sha256[:8], 16) < share * 16**8


def drawn_in_groups(groups: Sequence[str], sha256s: Sequence[str], share: float) -> NDArray[np.bool_]:
    """Say which faces of one method are held out, with each group on one side.

    Frames of a video are alike: with some of them trained on, the others would say nothing about faces of
    new videos. So groups of several faces are taken whole, in an order that their names decide, those that
    lead no farther from the share than they found it. A face that is alone in its group is drawn by itself,
    and so is every one where whole groups do not come to half of the share: of two videos none can be spared.

    Args:
        groups: of each face, such as its video.
        sha256s: of each face's content.
        share: of the faces that are wanted.

    Returns:
        `(N,)`.
    """
    drawn = np.array([is_drawn(sha256, share) for sha256 in sha256s], np.bool_)
    sizes = {group: size for group, size in Counter(groups).items() if size > 1}
    if taken := _taken(sizes, share):
        for row, group in enumerate(groups):
            if group in sizes:
                drawn[row] = group in taken
    return drawn


def _taken(sizes: Mapping[str, int], share: float) -> set[str]:
    wanted, held = share * sum(sizes.values()), 0
    taken = set()
    for group in sorted(sizes, key=lambda group: hashlib.sha256(group.encode()).digest()):
        if held + sizes[group] / 2 <= wanted:
            taken.add(group)
            held += sizes[group]
    return taken if held >= wanted / 2 else set()
