"""Clusters on their way to a class: promoted, recognised, or kept as candidates until they are given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from owcl.novelty.promotion import Promotion
from owcl.types import Cluster, MethodClass
from storage import classes, clusters, decisions, memberships

AUTOMATIC = "owcl"
"""Who decides when no person does."""
SAME_CANDIDATE = 0.5
"""Share of a candidate's faces that are in a cluster which is the same candidate."""
PATIENCE = 3
"""Sightings that lack more than faces after which a candidate is given up; and experiences after which any is
that was not seen again."""

Outcome = Literal["promoted", "recognised", "rejected again", "waiting"]


@dataclass(frozen=True)
class Judged:
    """A cluster of the pool and what `judge` said of it."""

    cluster: Cluster
    promotion: Promotion


@dataclass(frozen=True)
class Settled:
    """What became of a cluster of so many faces; `entry` is its class, where it has one."""

    outcome: Outcome
    entry: MethodClass | None
    faces: int


def without(judged: Judged, taken: NDArray[np.int64], smallest: int) -> Judged | None:
    """Return a cluster without faces that were put into a class after it was judged; None if none is left.

    What was to be a class waits if too few faces are left.
    """
    member_ids = np.setdiff1d(judged.cluster.member_ids, taken)
    if len(member_ids) == len(judged.cluster.member_ids):
        return judged
    if not len(member_ids):
        return None
    promotion = replace(judged.promotion, evidence={**judged.promotion.evidence, "size": len(member_ids)})
    if promotion.accepted and len(member_ids) < smallest:
        reason = f"{len(member_ids)} faces that nobody put into a class meanwhile, {smallest} make a class"
        promotion = replace(promotion, accepted=False, reasons=(reason,), lacks_only_faces=True)
    return Judged(replace(judged.cluster, member_ids=member_ids), promotion)


def settle(transaction: Connection, judged: Judged, experience: int, model_version: int) -> Settled:
    """Act on the verdict on a cluster, with one decision in the log for each change of a class.

    A cluster of which an earlier candidate is a part goes on under that candidate's id. One that looks like a
    class out of which a person has taken every face of it waits.
    """
    cluster, promotion = judged.cluster, judged.promotion
    size = len(cluster.member_ids)
    candidate = _seen_before(transaction, cluster, experience)
    doubted = _times_doubted(candidate, promotion)
    evidence = _evidence(promotion, doubted)
    sighting = clusters.Sighting(experience, model_version, evidence)
    cluster_id = _kept(transaction, candidate, cluster, sighting)
    if promotion.accepted:
        return Settled("promoted", _promote(transaction, judged, cluster_id, experience, evidence), size)
    if promotion.same_as is not None:
        entry = classes.get(transaction, promotion.same_as)
        if _joined(transaction, cluster, cluster_id, entry):
            return Settled("rejected again" if entry.status == "rejected" else "recognised", entry, size)
    if doubted >= PATIENCE:
        clusters.dissolve(transaction, cluster_id)
    return Settled("waiting", None, size)


def _times_doubted(candidate: clusters.StoredCluster | None, promotion: Promotion) -> int:
    """Return how many sightings of a candidate, this one among them, lacked more than faces."""
    before: int = 0 if candidate is None else candidate.sighting.evidence.get("times_doubted", 0)
    return before + (not promotion.accepted and not promotion.lacks_only_faces)


def _evidence(promotion: Promotion, doubted: int) -> dict[str, Any]:
    evidence = dict(promotion.evidence)
    if promotion.reasons:
        evidence["reasons"] = list(promotion.reasons)
    if promotion.drifted:
        evidence["drifted"] = True
    if doubted:
        evidence["times_doubted"] = doubted
    return evidence


def collecting(transaction: Connection) -> NDArray[np.int64]:
    """Return the face ids of the candidates, which stay in the pool beside what comes in.

    A model may give the faces of an arrival to a class that it knows: were they not held together, each
    experience would have to bring enough of them anew. Known faces that were posted again are left out.
    """
    return _members([one for one in clusters.waiting(transaction) if not _is_drifted(one)])


def posted_again(transaction: Connection) -> NDArray[np.int64]:
    """Return the face ids of clusters that were known faces, posted again; they wait for nothing.

    Left in the pool, the most unlike of each experience would gather until they look like an arrival.
    """
    states: tuple[clusters.State, ...] = ("candidate", "dissolved")
    refused = [one for state in states for one in clusters.in_state(transaction, state)]
    return _members([one for one in refused if _is_drifted(one)])


def _is_drifted(candidate: clusters.StoredCluster) -> bool:
    return bool(candidate.sighting.evidence.get("drifted"))


def _members(found: Sequence[clusters.StoredCluster]) -> NDArray[np.int64]:
    return np.unique(np.concatenate([np.empty(0, np.int64), *(one.cluster.member_ids for one in found)]))


def give_up_unseen(transaction: Connection, experience: int) -> None:
    """Dissolve the candidates that were not seen again for `PATIENCE` experiences up to this one.

    What was adopted is not seen again either, and waits again if that is undone, however late.
    """
    for candidate in clusters.waiting(transaction):
        if experience - candidate.sighting.experience >= PATIENCE:
            clusters.dissolve(transaction, candidate.id)


def _seen_before(transaction: Connection, cluster: Cluster, experience: int) -> clusters.StoredCluster | None:
    """Return the candidate of an earlier experience that the cluster holds most of, and at least half of."""

    def share(candidate: clusters.StoredCluster) -> float:
        return float(np.isin(candidate.cluster.member_ids, cluster.member_ids).mean())

    candidates = clusters.in_state(transaction, "candidate")
    earlier = [one for one in candidates if one.sighting.experience < experience]
    best = max(earlier, key=share, default=None)
    return best if best is not None and share(best) >= SAME_CANDIDATE else None


def _kept(
    transaction: Connection,
    candidate: clusters.StoredCluster | None,
    cluster: Cluster,
    sighting: clusters.Sighting,
) -> int:
    """Write the cluster, as a sighting of the candidate if there is one, and return its id."""
    if candidate is None:
        return clusters.add(transaction, cluster, sighting)
    clusters.see_again(transaction, candidate.id, cluster, sighting)
    return candidate.id


def _promote(
    transaction: Connection, judged: Judged, cluster_id: int, experience: int, evidence: dict[str, Any]
) -> MethodClass:
    class_id = classes.create(transaction, birth=classes.Birth(experience))
    after = {"cluster": cluster_id, "faces": len(judged.cluster.member_ids)}
    change = decisions.Change(AUTOMATIC, "promote", f"class {class_id}", {}, after)
    decision = decisions.record(transaction, change)
    classes.set_evidence(transaction, class_id, evidence, classes.Edit(decision=decision))
    memberships.assign(transaction, judged.cluster.member_ids, class_id, grounds(judged.cluster, decision))
    clusters.promote(transaction, cluster_id, class_id)
    return classes.get(transaction, class_id)


def _joined(transaction: Connection, cluster: Cluster, cluster_id: int, entry: MethodClass) -> bool:
    """Let faces of a cluster join a class, but for those that were taken out of it; False if all were."""
    joining = np.setdiff1d(cluster.member_ids, memberships.taken_out(transaction, entry.id))
    if not len(joining):
        return False
    verb = "reject again" if entry.status == "rejected" else "recognise"
    after = {"faces": len(joining)}
    change = decisions.Change(AUTOMATIC, verb, f"class {entry.id}", {}, after)
    decision = decisions.record(transaction, change)
    memberships.assign(transaction, joining, entry.id, grounds(cluster, decision))
    clusters.promote(transaction, cluster_id, entry.id)
    return True


def grounds(cluster: Cluster, decision: int) -> memberships.Grounds:
    """Return on what grounds the faces of a cluster belong to its class: the stabler, the more they weigh."""
    return memberships.Grounds("promotion", max(0.5, cluster.stability), decision)


def unlearned_examples(
    transaction: Connection, learned: NDArray[np.int64], limit: int
) -> dict[int, NDArray[np.int64]]:
    """Return the newest `limit` face ids of each class that lives or was rejected and was not `learned`."""
    found = {
        entry.id: memberships.members(transaction, entry.id)[-limit:]
        for entry in classes.everything(transaction)
        if entry.status != "merged" and entry.id not in learned
    }
    return {class_id: face_ids for class_id, face_ids in found.items() if len(face_ids)}
