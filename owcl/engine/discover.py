"""`owcl discover`: what came in that nobody knows, how many methods made it, and which are classes now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from owcl.engine import memory
from owcl.engine.answer import Answer
from owcl.engine.candidates import (
    Judged,
    collecting,
    give_up_unseen,
    posted_again,
    settle,
    unlearned_examples,
    without,
)
from owcl.engine.counting import Counting, Seen
from owcl.engine.journal import journalled
from owcl.engine.judging import Pace, Reposted, judged_clusters, pictures_of_clusters
from owcl.engine.pool import pool_of
from owcl.engine.workspace import Report, Workspace, silent
from owcl.errors import BadInput, Conflict
from owcl.models.embed import embed
from owcl.novelty.base import CountEstimate
from owcl.novelty.counting.agreement import WITNESSES, found_by
from owcl.novelty.drift import LARGEST_SIDE, is_reposted
from owcl.types import MethodClass
from storage import clusters, counts, experiences, faces, memberships

UNLEARNED_EXAMPLES = 100
"""Faces of each class that the model has not learned, rejected ones among them, that a cluster is compared
with."""
LEEWAY = 1.5
"""By how much false alarms in the pool may exceed their rate, by chance."""


@dataclass(frozen=True)
class DiscoverResult:
    """What was found."""

    experience: int
    came_in: int
    """Faces that were ingested since the last discovery."""
    pool: int
    """Faces that are not of a known class."""
    value: int
    low: int
    high: int
    unseen_below: int | None
    """Faces below which a method may have gone unseen in so large a pool; none where every one is seen."""
    promoted: tuple[MethodClass, ...]
    sizes: dict[int, int]
    """Faces of each promoted class."""
    recognised: int
    """Faces of clusters that are more of classes that there were."""
    loose: int
    """Faces of no known class that are in no cluster."""
    waiting: int
    """Clusters that are not yet a class."""
    drifted: int
    """Those of them that are known faces, compressed again, resized or blurred."""


@dataclass(frozen=True)
class _CameIn:
    """An experience and the faces that were in it when discovery began to look at them."""

    experience: int
    face_ids: NDArray[np.int64]


@journalled("discover")
def discover(workspace: Workspace, report: Report = silent) -> DiscoverResult:
    """Look for new methods among the faces of the latest experience and those that still wait.

    Everything is written in one transaction at the end: killed before, it starts afresh and comes to the
    same result. What people put into classes until then stays there, and faces that come in until then are of
    the next experience.

    Where nothing was ingested since the last discovery, nothing is found and no class or cluster changes.

    Raises:
        BadInput: if there is no model, or nothing was ingested yet.
        Conflict: if another step is at work, or has looked at the experience meanwhile.
    """
    answer = workspace.answer()
    latest = _latest(workspace)
    if latest.state != "ingested":
        return _nothing_since(workspace, latest.index)
    experience = latest.index
    rng = workspace.rng("discover", experience)
    with workspace.store.reading() as transaction:
        waiting = collecting(transaction)
        came_in = _CameIn(experience, faces.in_experience(transaction, experience))
        candidates = _candidates(transaction, came_in, waiting)
        known = memory.recall(transaction)
    learned = np.intersect1d(answer.class_ids, known.class_ids)
    pool = pool_of(workspace, answer, known, learned, candidates, waiting, rng, report)
    report("clustering", 0, None)
    reference = memory.reference_sample(known, workspace.rng("reference", experience))
    settings = workspace.configuration.novelty
    counting = Counting(settings, answer.network, reference, LEEWAY * settings.false_discovery_rate)
    seen = counting.seen(pool.images)
    estimate = counting.estimate(seen, rng)
    reposted = Reposted(answer, pool.held_out, rng)
    pace = Pace(workspace, answer, pool.held_out, experience, came_in.face_ids)
    # Known faces of several methods that came posted again fall apart by method; they are no arrivals.
    drifted_rng = workspace.rng("drifted", experience)
    pictures = pictures_of_clusters(pool.images, estimate, LARGEST_SIDE, drifted_rng)
    compared = enumerate(reposted.compared(seen.vectors, pictures, drifted_rng))
    whole = frozenset(cluster for cluster, verdict in compared if is_reposted(verdict))
    estimate = counting.divided(estimate, seen, workspace.rng("division", experience), whole)
    also_found_by = _also_found_by(workspace, counting, seen, estimate, experience)
    registered = {**counting.by_class(), **_unlearned(workspace, answer, learned)}
    judged = judged_clusters(
        pool, seen.vectors, estimate, also_found_by, registered, reposted, pace, settings, rng
    )
    return _write(workspace, answer, came_in, estimate, judged)


def _latest(workspace: Workspace) -> experiences.ExperienceStatus:
    with workspace.store.reading() as transaction:
        latest = experiences.latest(transaction)
    if latest is None or latest.labelled or latest.state == "open":
        raise BadInput(
            f"{workspace.root}: there are no faces to look through. Unlabelled faces, all taken in, are "
            "expected. Bring them in with `owcl ingest`, then discover."
        )
    return latest


def _nothing_since(workspace: Workspace, experience: int) -> DiscoverResult:
    with workspace.store.reading() as transaction:
        waiting = len(clusters.waiting(transaction))
    return DiscoverResult(
        experience,
        came_in=0,
        pool=0,
        value=0,
        low=0,
        high=0,
        unseen_below=None,
        promoted=(),
        sizes={},
        recognised=0,
        loose=0,
        waiting=waiting,
        drifted=0,
    )


def _candidates(transaction: Connection, came_in: _CameIn, waiting: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return faces that came in, and earlier ones that are unknown or wait, that belong to no class."""
    unknown = np.setdiff1d(faces.pool(transaction), posted_again(transaction))
    present = np.union1d(came_in.face_ids, np.union1d(unknown, waiting))
    return np.setdiff1d(present, memberships.active(transaction).face_ids)


def _also_found_by(
    workspace: Workspace, counting: Counting, pool: Seen, estimate: CountEstimate, experience: int
) -> Sequence[Sequence[str]]:
    """Return for each cluster which other estimators have found it."""
    others = [name for name in WITNESSES if name != counting.settings.count] if estimate.value else []
    partitions = {
        name: counting.estimator(name).clustered(pool.vectors, workspace.rng(name, experience))
        for name in others
    }
    return found_by(estimate.labels, partitions)


def _unlearned(
    workspace: Workspace, answer: Answer, learned: NDArray[np.int64]
) -> dict[int, NDArray[np.float32]]:
    """Return embeddings of the classes that the model has not learned.

    So more faces of one that was just discovered are no class of their own, and what an operator refused is
    not offered again.
    """
    with workspace.store.reading() as transaction:
        examples = unlearned_examples(transaction, learned, UNLEARNED_EXAMPLES)
    return {
        class_id: embed(answer.network, workspace.pixels(face_ids)[1])[0]
        for class_id, face_ids in examples.items()
    }


def _write(
    workspace: Workspace,
    answer: Answer,
    came_in: _CameIn,
    estimate: CountEstimate,
    judged: Sequence[Judged],
) -> DiscoverResult:
    experience = came_in.experience
    with workspace.store.transaction() as transaction:
        _refuse_closed(transaction, experience)
        _leave_for_next(transaction, came_in)
        taken = memberships.active(transaction).face_ids
        smallest = workspace.configuration.novelty.smallest_class
        judged = [left for cluster in judged if (left := without(cluster, taken, smallest)) is not None]
        settled = [settle(transaction, cluster, experience, answer.version) for cluster in judged]
        give_up_unseen(transaction, experience)
        promoted = {
            one.entry.id: (one.entry, one.faces)
            for one in settled
            if one.outcome == "promoted" and one.entry is not None
        }
        value = len(promoted)
        low, high = min(estimate.low, value), max(estimate.high, value)
        drifted = sum(cluster.promotion.drifted for cluster in judged)
        counted = {**estimate.evidence, "clusters": estimate.value, "drifted": drifted}
        counts.record(transaction, experience, counts.Count(value, low, high, counted))
        experiences.set_state(transaction, experience, "discovered")
    return DiscoverResult(
        experience,
        came_in=len(came_in.face_ids),
        pool=len(estimate.labels),
        value=value,
        low=low,
        high=high,
        unseen_below=estimate.evidence["unseen_below"],
        promoted=tuple(entry for entry, _ in promoted.values()),
        sizes={class_id: size for class_id, (_, size) in promoted.items()},
        recognised=sum(one.faces for one in settled if one.outcome == "recognised"),
        loose=int((estimate.labels < 0).sum()),
        waiting=sum(one.outcome == "waiting" for one in settled),
        drifted=drifted,
    )


def _refuse_closed(transaction: Connection, experience: int) -> None:
    state = experiences.status(transaction, experience).state
    if state != "ingested":
        raise Conflict(
            f"experience {experience}: it was {state} by another step meanwhile. One discovery of it is "
            "expected, and nothing of this one was kept. See `owcl classes list`."
        )


def _leave_for_next(transaction: Connection, came_in: _CameIn) -> None:
    """Let faces that came in since the others were read begin the next experience, to be looked at then."""
    late = np.setdiff1d(faces.in_experience(transaction, came_in.experience), came_in.face_ids)
    if len(late):
        experiences.begin(transaction, came_in.experience + 1)
        experiences.set_state(transaction, came_in.experience + 1, "ingested")
        faces.move(transaction, late, came_in.experience + 1)
