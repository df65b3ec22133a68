"""`owcl discover`: what came in that nobody knows, how many methods made it, and which are classes now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from sqlalchemy import Connection

from owcl.engine import memory
from owcl.engine.answer import Answer
from owcl.engine.train import device, step_progress
from owcl.engine.workspace import Report, Workspace, silent
from owcl.errors import BadInput
from owcl.learners.arrivals import ArrivalScores, arrival_scores
from owcl.learners.strategy import TrainingPlan
from owcl.memory.replay import Exemplars
from owcl.models.embed import embed
from owcl.models.network import with_outputs
from owcl.novelty.base import CountEstimate
from owcl.novelty.calibration import conformal_p_values, select_arrivals
from owcl.novelty.counting.density import DensityCount
from owcl.novelty.promotion import Promotion, judge
from owcl.novelty.whitening import WithinClassWhitening
from owcl.types import Cluster, MethodClass
from storage import classes, clusters, counts, decisions, experiences, faces, memberships

AUTOMATIC = "owcl"
"""Who decides when no person does."""


@dataclass(frozen=True)
class DiscoverResult:
    """What was found."""

    experience: int
    pool: int
    """Faces that are not of a known class."""
    value: int
    low: int
    high: int
    promoted: tuple[MethodClass, ...]
    sizes: dict[int, int]
    """Faces of each promoted class."""
    waiting: int
    """Clusters that are not yet a class."""


@dataclass(frozen=True)
class _Verdict:
    member_ids: NDArray[np.int64]
    centre: NDArray[np.float32]
    stability: float
    promotion: Promotion


def discover(workspace: Workspace, report: Report = silent) -> DiscoverResult:
    """Look for new methods among the faces of the latest experience and those that still wait.

    Everything is written in one transaction at the end: killed before, it starts afresh and comes to the
    same result.

    Raises:
        BadInput: if there is no model, or nothing was ingested since the last discovery.
    """
    answer = workspace.answer()
    experience = _ready_experience(workspace)
    rng = workspace.rng("discover", experience)
    with workspace.store.reading() as transaction:
        candidates = _candidates(transaction, experience)
        known = memory.recall(transaction)
    face_ids, images = workspace.pixels(candidates)
    smallest = workspace.configuration.novelty.smallest_class
    chosen = np.zeros(len(face_ids), bool)
    p_values = np.ones(len(face_ids))
    if len(face_ids) >= smallest:
        p_values = _arrival_p_values(workspace, answer, known, images, rng, report)
        rate = workspace.configuration.novelty.false_discovery_rate
        chosen = select_arrivals(p_values, rate).chosen
    report("clustering", 0, None)
    vectors, _ = embed(answer.network, images[chosen])
    known_vectors, _ = embed(answer.network, known.images)
    metric = WithinClassWhitening().fit(known_vectors, known.class_ids)
    estimate = DensityCount(smallest).estimate(metric.transform(vectors), rng)
    by_class = {
        class_id: known_vectors[known.class_ids == class_id]
        for class_id in np.unique(known.class_ids).tolist()
    }
    verdicts = _judged(by_class, face_ids[chosen], vectors, p_values[chosen], estimate, smallest, rng)
    return _write(workspace, answer, experience, int(chosen.sum()), estimate, verdicts)


def _ready_experience(workspace: Workspace) -> int:
    with workspace.store.reading() as transaction:
        latest = experiences.latest(transaction)
    if latest is None or latest.labelled or latest.state != "ingested":
        raise BadInput(
            f"{workspace.root}: no faces were ingested since the last discovery. Unlabelled faces are "
            "expected. Bring them in with `owcl ingest`, then discover."
        )
    return latest.index


def _candidates(transaction: Connection, experience: int) -> NDArray[np.int64]:
    """Return faces of the experience, and earlier ones still unknown, that belong to no class."""
    present = np.union1d(faces.in_experience(transaction, experience), faces.pool(transaction))
    return np.setdiff1d(present, memberships.active(transaction).face_ids)


def _arrival_p_values(
    workspace: Workspace,
    answer: Answer,
    known: Exemplars,
    images: NDArray[np.uint8],
    rng: np.random.Generator,
    report: Report,
) -> NDArray[np.float64]:
    with workspace.store.reading() as transaction:
        share = workspace.configuration.memory.calibration_share
        held_out, _ = memory.held_out_faces(transaction, share)
    _, calibration = workspace.pixels(held_out)
    settings = workspace.configuration.training
    registered = np.unique(known.class_ids)
    torch_rng = torch.Generator().manual_seed(int(rng.integers(2**31)))
    found: ArrivalScores = arrival_scores(
        with_outputs(answer.network, answer.outputs, registered.tolist(), torch_rng),
        replace(known, class_ids=np.searchsorted(registered, known.class_ids)),
        images,
        calibration,
        TrainingPlan(settings.arrival_steps, settings.learning_rate / 2),
        rng,
        device(workspace),
        step_progress(report, "telling arrivals from the known"),
    )
    p_values = np.empty(len(images))
    for fold, on_calibration in enumerate(found.calibration):
        rows = found.folds == fold
        p_values[rows] = conformal_p_values(on_calibration, found.scores[rows])
    return p_values


def _judged(
    by_class: Mapping[int, NDArray[np.float32]],
    face_ids: NDArray[np.int64],
    vectors: NDArray[np.float32],
    p_values: NDArray[np.float64],
    estimate: CountEstimate,
    smallest: int,
    rng: np.random.Generator,
) -> list[_Verdict]:
    verdicts = []
    for cluster, stability in enumerate(estimate.stability):
        members = estimate.labels == cluster
        promotion = judge(vectors[members], p_values[members], stability, by_class, smallest, rng)
        centre = vectors[members].mean(axis=0)
        verdicts.append(_Verdict(face_ids[members], centre, stability, promotion))
    return verdicts


def _write(
    workspace: Workspace,
    answer: Answer,
    experience: int,
    pool: int,
    estimate: CountEstimate,
    verdicts: Sequence[_Verdict],
) -> DiscoverResult:
    promoted: list[MethodClass] = []
    sizes: dict[int, int] = {}
    waiting = 0
    with workspace.store.transaction() as transaction:
        for verdict in verdicts:
            cluster = Cluster(verdict.member_ids, verdict.centre, verdict.stability)
            evidence = {**verdict.promotion.evidence, "reasons": list(verdict.promotion.reasons)}
            sighting = clusters.Sighting(experience, answer.version, evidence)
            cluster_id = clusters.add(transaction, cluster, sighting)
            if verdict.promotion.accepted:
                entry = _promote(transaction, verdict, cluster_id, experience, evidence)
                promoted.append(entry)
                sizes[entry.id] = len(verdict.member_ids)
            elif verdict.promotion.same_as is not None:
                _join(transaction, verdict, verdict.promotion.same_as)
                clusters.promote(transaction, cluster_id, verdict.promotion.same_as)
            else:
                waiting += 1
        value = len(promoted)
        low, high = min(estimate.low, value), max(estimate.high, value)
        counted = {**estimate.evidence, "clusters": estimate.value}
        counts.record(transaction, experience, counts.Count(value, low, high, counted))
        experiences.set_state(transaction, experience, "discovered")
    return DiscoverResult(experience, pool, value, low, high, tuple(promoted), sizes, waiting)


def _promote(
    transaction: Connection, verdict: _Verdict, cluster_id: int, experience: int, evidence: dict[str, object]
) -> MethodClass:
    after = {"cluster": cluster_id, "faces": len(verdict.member_ids)}
    decision = decisions.record(
        transaction, decisions.Change(AUTOMATIC, "promote", f"cluster {cluster_id}", {}, after)
    )
    birth = classes.Birth(experience, evidence, decision)
    class_id = classes.create(transaction, birth=birth)
    grounds = memberships.Grounds("promotion", max(0.5, verdict.stability), decision)
    memberships.assign(transaction, verdict.member_ids, class_id, grounds)
    clusters.promote(transaction, cluster_id, class_id)
    return classes.get(transaction, class_id)


def _join(transaction: Connection, verdict: _Verdict, class_id: int) -> None:
    after = {"faces": len(verdict.member_ids)}
    change = decisions.Change(AUTOMATIC, "recognise", f"class {class_id}", {}, after)
    decision = decisions.record(transaction, change)
    grounds = memberships.Grounds("promotion", max(0.5, verdict.stability), decision)
    memberships.assign(transaction, verdict.member_ids, class_id, grounds)
