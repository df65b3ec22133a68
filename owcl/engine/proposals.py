"""What owcl would merge, split or make a class of, with evidence; it is for an operator to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from owcl.engine import memory
from owcl.engine.answer import Answer
from owcl.engine.counting import Counting
from owcl.engine.workspace import Report, Workspace, silent
from owcl.errors import NotFound
from owcl.memory.replay import Exemplars
from owcl.models import checkpoint
from owcl.models.embed import embed
from owcl.models.network import Network
from owcl.novelty.matching import SAME_BELOW, SMALLEST_SIDE, judge_same
from owcl.novelty.promotion import STABLE
from owcl.types import MethodClass, ModelVersion
from storage import classes, clusters, memberships, models

LARGEST_LOOK = 1000
"""Newest members of a class that are looked at for a split."""

SIDE = 200
"""Newest members of a class that are compared with those of another."""


@dataclass(frozen=True)
class Proposal:
    """A change of classes that the evidence speaks for."""

    verb: Literal["merge", "split", "adopt"]
    classes: tuple[MethodClass, ...]
    """Two to merge, the younger one first; one to split; none for a cluster that waits."""
    face_ids: tuple[int, ...]
    """Faces to split off, or of the cluster that waits; none for a merge."""
    evidence: Mapping[str, Any]
    cluster: int | None = None
    """The one that waits."""

    @property
    def command(self) -> str:
        """The command line that does it."""
        ids = [entry.id for entry in self.classes] if self.cluster is None else [self.cluster]
        return " ".join(["owcl classes", self.verb, *map(str, ids), *["--proposed"] * (self.verb == "split")])


def proposals(workspace: Workspace, report: Report = silent) -> list[Proposal]:
    """Return clusters that wait to be a class, then classes that look like one, and like several.

    Nothing is changed; a class that an operator named is proposed for like any other.

    Raises:
        BadInput: if there is no model.
    """
    answer = workspace.answer()
    with workspace.store.reading() as transaction:
        known = memory.recall(transaction)
        live = {entry.id: entry for entry in classes.live(transaction)}
        discovered = [entry for entry in live.values() if entry.status != "known"]
        members = {entry.id: memberships.members(transaction, entry.id) for entry in discovered}
        found = [_adoption(cluster) for cluster in clusters.waiting(transaction)]
        versions = models.everything(transaction)
    looks = {class_id: known.images[known.class_ids == class_id] for class_id in live}
    looks |= {entry.id: workspace.pixels(members[entry.id][-SIDE:])[1] for entry in discovered}
    for number, younger in enumerate(discovered, start=1):
        network, _, _ = checkpoint.load(workspace.root / last_without(versions, younger.id).weights)
        found += _merges(network, live, looks, younger, workspace.rng("merges", younger.id))
        report("comparing classes", number, len(discovered))
    counting = _counting(workspace, answer, known)
    for number, entry in enumerate(discovered, start=1):
        found += _splits(workspace, entry, members[entry.id], counting)
        report("looking into classes", number, len(discovered))
    return found


def _adoption(cluster: clusters.StoredCluster) -> Proposal:
    evidence = {
        "faces": len(cluster.cluster.member_ids),
        "stability": round(cluster.cluster.stability, 4),
        "times_seen": cluster.times_seen,
        "reasons": "; ".join(cluster.sighting.evidence.get("reasons", ())),
    }
    return Proposal("adopt", (), tuple(cluster.cluster.member_ids.tolist()), evidence, cluster.id)


def split_proposals(workspace: Workspace, id_or_name: str) -> list[Proposal]:
    """Return the parts that would be split off one class.

    Raises:
        BadInput: if there is no model.
        NotFound: if there is no such class.
    """
    answer = workspace.answer()
    with workspace.store.reading() as transaction:
        known = memory.recall(transaction)
        entry = classes.find(transaction, id_or_name)
        members = memberships.members(transaction, entry.id)
    return list(_splits(workspace, entry, members, _counting(workspace, answer, known)))


def proposed_part(workspace: Workspace, id_or_name: str) -> tuple[int, ...]:
    """Return the faces that are proposed to be split off a class.

    Raises:
        NotFound: if there is no such class, or no split of it is proposed.
    """
    for proposal in split_proposals(workspace, id_or_name):
        return proposal.face_ids
    raise NotFound(
        f"class {id_or_name}: its faces do not fall into several methods, so no split is proposed. "
        "`owcl classes proposals` lists what is. Name the faces to split off instead."
    )


def _counting(workspace: Workspace, answer: Answer, known: Exemplars) -> Counting:
    reference = memory.reference_sample(known, workspace.rng("reference", answer.version))
    # A part of a class that lies where another class does is what a split is for, and no false alarm.
    return Counting(workspace.configuration.novelty, answer.network, reference, false_share=0.0)


def last_without(versions: Sequence[ModelVersion], class_id: int) -> ModelVersion:
    """Return the last of `versions`, oldest first, before a class was learned for the first time.

    A network that learned to tell two classes apart says nothing about whether they are two; and a later one
    without the class, which was rejected for a while, began with what that one had learned.
    """
    *_, last = takewhile(lambda version: class_id not in version.class_ids, versions)
    return last


def _merges(
    network: Network,
    live: Mapping[int, MethodClass],
    looks: Mapping[int, NDArray[np.uint8]],
    younger: MethodClass,
    rng: np.random.Generator,
) -> Iterator[Proposal]:
    """Propose to merge a class with older ones, as a network sees them that did not learn it yet."""
    if len(looks[younger.id]) < SMALLEST_SIDE:
        return
    vectors, _ = embed(network, looks[younger.id])
    for class_id, images in looks.items():
        if class_id >= younger.id or len(images) < SMALLEST_SIDE:
            continue
        verdict = judge_same(embed(network, images)[0], vectors, rng)
        # To propose, the likely is enough; the interval says how sure it is.
        if verdict.auc <= SAME_BELOW:
            evidence = {"auc": round(verdict.auc, 4), "auc_at_most": round(verdict.high, 4)}
            yield Proposal("merge", (younger, live[class_id]), (), evidence)


def _splits(
    workspace: Workspace,
    entry: MethodClass,
    members: NDArray[np.int64],
    counting: Counting,
) -> Iterator[Proposal]:
    """Propose to split off every part but the largest."""
    face_ids, images = workspace.pixels(members[-LARGEST_LOOK:])
    counting = counting.without(entry.id)
    seen, rng = counting.seen(images), workspace.rng("splits", entry.id)
    estimate = counting.divided(counting.estimate(seen, rng), seen, workspace.rng("division", entry.id))
    sizes = np.bincount(estimate.labels[estimate.labels >= 0], minlength=estimate.value)
    for part in np.argsort(-sizes)[1:].tolist():
        rows = estimate.labels == part
        verdict = judge_same(seen.vectors[rows], seen.vectors[estimate.labels == int(sizes.argmax())], rng)
        if verdict.answer == "different" and estimate.stability[part] >= STABLE:
            evidence = {
                "faces": int(rows.sum()),
                "auc_to_the_rest": round(verdict.auc, 4),
                "stability": estimate.stability[part],
            }
            yield Proposal("split", (entry,), tuple(face_ids[rows].tolist()), evidence)
