"""Which labelled and ingested faces are for calibration: drawn once, so that they are never trained on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def is_drawn(sha256: str, share: float) -> bool:
    """Say whether a face that is drawn by itself is held out; its content decides.

    Args:
        sha256: of the content, in hexadecimal.
        share: of all faces that are wanted, in (0, 1).
    """
    return int(sha256[:8], 16) < share * 16**8


def drawn_in_groups(groups: Sequence[str], sha256s: Sequence[str], share: float) -> NDArray[np.bool_]:
    """Say which faces of one method are held out, with each group on one side.

    Frames of a video are alike: with some of them trained on, the others would say nothing about faces of
    new videos. So groups of several faces are taken whole, in an order that their names decide, those that
    lead no farther from the share than they found it. A face that is alone in its group is drawn by itself,
    and so is every one where whole groups do not come to half of the share: of two videos none can be spared.

    Args:
        groups: `(N,)`, of each face, such as its video.
        sha256s: `(N,)`, of each face's content.
        share: of the faces that are wanted, in (0, 1).

    Returns:
        `(N,)`.
    """
    sizes = {group: size for group, size in Counter(groups).items() if size > 1}
    taken = _spared(sizes, share)
    return np.array(
        [
            group in taken if taken and group in sizes else is_drawn(sha256, share)
            for group, sha256 in zip(groups, sha256s, strict=True)
        ],
        np.bool_,
    )


def _drawn_by(group: str) -> bytes:
    # The name of a folder need not be Unicode.
    return hashlib.sha256(group.encode(errors="surrogateescape")).digest()


def _spared(sizes: Mapping[str, int], share: float) -> set[str]:
    """Return the groups that are held out whole; none where they do not come to half of the share."""
    wanted, held = share * sum(sizes.values()), 0
    taken = set()
    for group in sorted(sizes, key=_drawn_by):
        if held + sizes[group] / 2 <= wanted:
            taken.add(group)
            held += sizes[group]
    return taken if held >= wanted / 2 else set()
