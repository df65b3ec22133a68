"""Is a cluster a class? All of a few conditions, and the evidence for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from owcl.novelty.counting.partitions import sample
from owcl.novelty.drift import LARGEST_SIDE, is_reposted
from owcl.novelty.gathering import IMPROBABLE, Gathering
from owcl.novelty.matching import SAME_BELOW, SMALLEST_SIDE, Verdict, judge_same

STABLE = 0.5
"""Share of resamples in which a cluster must come back: one that does so less often than not is none yet."""
NO_FASTER = "came in no faster than such faces do among the known; more in less time are needed"
TOO_SLOW_TO_TELL = (
    "came in slowly, and too few known faces are held out to tell it from unusual ones among those; more in "
    "less time are needed, or a person who adopts it"
)
ONLY_A_PERSON_CAN_TELL = "more of it would tell no more, and a person may adopt it"


@dataclass(frozen=True)
class Promotion:
    """The verdict on a cluster."""

    accepted: bool
    same_as: int | None
    """The class that the cluster is more faces of; the nearest, where it cannot be told from several."""
    reasons: tuple[str, ...]
    """Why it was not accepted; empty where it was."""
    lacks_only_faces: bool
    """Whether more of them are all that it waits for."""
    evidence: Mapping[str, Any]
    """Plain values, kept with the class: the answer to "why is this a class?"."""
    drifted: bool = False
    """Whether it is known faces that were compressed again, resized or blurred."""


def judge(
    members: NDArray[np.float32],
    pictures: NDArray[np.int64],
    p_values: NDArray[np.float64],
    stability: float,
    classes: Mapping[int, NDArray[np.float32]],
    smallest: int,
    rng: np.random.Generator,
    reposted: Verdict | None = None,
    also_found_by: Sequence[str] = (),
    *,
    beside_reposted: bool = False,
    gathered: Gathering | None = None,
) -> Promotion:
    """Judge a cluster of the pool.

    Args:
        members: `(M, D)` embeddings.
        pictures: `(P,)` rows of members of which none is a copy of another, at least so many of them as make
            a class. One picture that many people post is no generator, and a copy among the faces that a
            probe learned would give away one that it has to judge; so these are counted and compared.
        p_values: `(M,)` of the members.
        stability: share of resamples in which the cluster came back.
        classes: `(N, D)` exemplars of the registered classes, under the same model. A cluster is not
            compared with a class of which there are fewer than 20, since no probe could tell.
        smallest: faces that make a class.
        rng: draws the folds of the probes, and what they see of a large cluster.
        reposted: the cluster compared with known faces that were posted again, where there are enough.
        also_found_by: estimators that have found the same cluster.
        beside_reposted: whether known faces that were posted again came with it, of which it may be a part;
            then it must clearly be something else.
        gathered: what the time that it took says for known faces; None where enough came in at once.
    """
    seen = members[pictures[sample(len(pictures), LARGEST_SIDE, rng)]]
    verdicts = _against(seen, classes, rng)
    by_auc = sorted(verdicts, key=lambda class_id: verdicts[class_id].auc)
    nearest = next(iter(by_auc), None)
    same_as = next((class_id for class_id in by_auc if verdicts[class_id].answer == "same"), None)
    lacking = []
    too_few = len(pictures) < smallest
    if too_few:
        lacking.append(f"{_said(len(members), len(pictures))}, {smallest} make a class")
    if same_as is None and nearest is not None and verdicts[nearest].auc <= SAME_BELOW:
        sure = "more faces are needed to be sure" if len(seen) < LARGEST_SIDE else ONLY_A_PERSON_CAN_TELL
        lacking.append(f"more of class {nearest}, as it seems; {sure}")
    if gathered is not None and gathered.p_value > IMPROBABLE:
        lacking.append(NO_FASTER if gathered.alike else TOO_SLOW_TO_TELL)
    reasons = list(lacking)
    if stability < STABLE:
        reasons.append(f"came back in {stability:.0%} of resamples, {STABLE:.0%} are needed")
    if same_as is not None:
        reasons.append(f"cannot be told from class {same_as}")
    drifted = is_reposted(reposted, beside_reposted)
    if drifted:
        reasons.append("looks like known faces that were compressed again, resized or blurred")
    evidence: dict[str, Any] = {
        "size": len(members),
        "different_pictures": len(pictures) if too_few else f"{smallest} or more",
        "stability": stability,
        "median_p_value": float(np.median(p_values)),
        "nearest_class": nearest,
        "auc_to_nearest_class": None if nearest is None else round(verdicts[nearest].auc, 4),
        "not_compared_with": ", ".join(f"class {one}" for one in classes if one not in verdicts) or "none",
        "auc_to_known_posted_again": None if reposted is None else round(reposted.auc, 4),
        "p_value_of_gathering": None if gathered is None else float(f"{gathered.p_value:.2g}"),
        "also_found_by": ", ".join(also_found_by) or "no other estimator",
    }
    return Promotion(
        not reasons,
        same_as,
        tuple(reasons),
        bool(lacking) and reasons == lacking,
        evidence,
        drifted,
    )


def _said(faces: int, different: int) -> str:
    return f"{faces} faces" if different == faces else f"{faces} faces, {different} without copies"


def _against(
    seen: NDArray[np.float32], classes: Mapping[int, NDArray[np.float32]], rng: np.random.Generator
) -> dict[int, Verdict]:
    if len(seen) < SMALLEST_SIDE:
        return {}
    return {
        class_id: judge_same(seen, exemplars, rng)
        for class_id, exemplars in classes.items()
        if len(exemplars) >= SMALLEST_SIDE
    }
