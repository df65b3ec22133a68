"""What is thought of the clusters of a pool, each beside classes and held-out known faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from owcl.config import NoveltyConfiguration
from owcl.engine.answer import Answer, Calibration
from owcl.engine.candidates import Judged
from owcl.engine.pool import Pool
from owcl.engine.workspace import Workspace
from owcl.faces.likeness import different_pictures
from owcl.faces.reposting import reposted_views
from owcl.models.embed import embed
from owcl.novelty.base import CountEstimate
from owcl.novelty.drift import LARGEST_SIDE, compared_with_reposted, is_reposted
from owcl.novelty.gathering import Gathering, Incoming, gathered_by_chance
from owcl.novelty.matching import Verdict
from owcl.novelty.promotion import judge
from owcl.types import Attributions, Cluster
from storage import attributions, faces

VIEWS = 2
"""Of each held-out known face, posted again, that a cluster is compared with."""


def judged_clusters(
    pool: Pool,
    vectors: NDArray[np.float32],
    estimate: CountEstimate,
    also_found_by: Sequence[Sequence[str]],
    registered: Mapping[int, NDArray[np.float32]],
    reposted: Reposted,
    pace: Pace,
    settings: NoveltyConfiguration,
    rng: np.random.Generator,
) -> list[Judged]:
    """Return the clusters of the pool and what is thought of each.

    Args:
        pool: whose `(M,)` faces are in clusters, or in none.
        vectors: `(M, D)` embeddings of them.
        estimate: which clusters there are.
        also_found_by: for each, the other estimators that have found it.
        registered: `(N, D)` exemplars of each class, under the same model.
        reposted: known faces to compare with, as they would come in again.
        pace: how fast known faces gather.
        settings: how many faces make a class.
        rng: draws the folds of the probes.
    """
    enough = max(LARGEST_SIDE, settings.smallest_class)
    pictures = pictures_of_clusters(pool.images, estimate, enough, rng)
    compared = reposted.compared(vectors, pictures, rng)
    beside_reposted = any(map(is_reposted, compared))
    judged = []
    for cluster, (stability, others, mine, verdict) in enumerate(
        zip(estimate.stability, also_found_by, pictures, compared, strict=True)
    ):
        inside = np.flatnonzero(estimate.labels == cluster)
        members = vectors[inside]
        promotion = judge(
            members,
            np.searchsorted(inside, mine),
            pool.p_values[inside],
            stability,
            registered,
            settings.smallest_class,
            rng,
            verdict,
            others,
            beside_reposted=beside_reposted,
            gathered=pace.gathered(pool.face_ids[inside], members),
        )
        judged.append(Judged(Cluster(pool.face_ids[inside], members.mean(axis=0), stability), promotion))
    return judged


def pictures_of_clusters(
    images: NDArray[np.uint8], estimate: CountEstimate, enough: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Return for each cluster the ascending `(P,)` rows of faces of which none is a copy of another.

    Args:
        images: `(M, 3, H, W)` of the pool.
        estimate: which clusters there are.
        enough: how many there are at most of each.
        rng: draws them where a cluster has more faces.
    """
    found = []
    for cluster in range(estimate.value):
        rows = np.flatnonzero(estimate.labels == cluster)
        if len(rows) > enough:
            rows = rng.permutation(rows)
        found.append(np.sort(rows[different_pictures(images[rows], enough)]))
    return found


class Reposted:
    """Held-out known faces as they would come in again; made when the first cluster is compared with them.

    Args:
        answer: whose network embeds them.
        held_out: the faces.
        rng: draws what is done to them.
    """

    def __init__(self, answer: Answer, held_out: Calibration, rng: np.random.Generator) -> None:
        self._answer = answer
        self._held_out = held_out
        self._rng = rng

    def compared(
        self, vectors: NDArray[np.float32], clusters: Sequence[NDArray[np.int64]], rng: np.random.Generator
    ) -> list[Verdict | None]:
        """Say of each cluster whether it is known faces that were posted again.

        Args:
            vectors: `(M, D)` embeddings.
            clusters: `(P,)` rows of each, of faces that are no copies of one another.
            rng: draws what is compared.
        """
        return [compared_with_reposted(vectors[rows], *self._views, rng) for rows in clusters]

    @cached_property
    def _views(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        views = np.concatenate([reposted_views(self._held_out.images, self._rng) for _ in range(VIEWS)])
        return embed(self._answer.network, views)[0], np.tile(self._held_out.class_ids, VIEWS)


class Pace:
    """How fast clusters came in, beside held-out known faces; what that takes is read when it is needed.

    Args:
        workspace: whose faces they are.
        answer: whose network embeds them.
        held_out: the known faces.
        experience: that is looked through.
        came_in: `(N,)` face ids of it.
    """

    def __init__(
        self,
        workspace: Workspace,
        answer: Answer,
        held_out: Calibration,
        experience: int,
        came_in: NDArray[np.int64],
    ) -> None:
        self._workspace = workspace
        self._answer = answer
        self._held_out = held_out
        self._experience = experience
        self._came_in = came_in

    def gathered(self, face_ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> Gathering | None:
        """Say how probable it is that known faces gathered; None of a cluster that came in at once.

        The pool's own p-values vouch for faces of this experience. Those of earlier ones were chosen for
        being unusual, so that their number says nothing without the time that they took.

        Args:
            face_ids: `(M,)` of the cluster.
            vectors: `(M, D)` embeddings of them.
        """
        at_once = np.isin(face_ids, self._came_in).sum()
        if at_once >= self._workspace.configuration.novelty.smallest_class:
            return None
        attributed, experience_of = self._everyone
        inside = np.searchsorted(attributed.face_ids, face_ids)
        class_ids = attributed.class_ids.copy()
        class_ids[inside] = self._answer.taken_for(vectors)
        return gathered_by_chance(
            vectors,
            Incoming(experience_of[inside], class_ids[inside]),
            Incoming(experience_of, class_ids),
            self._vectors,
            self._answer.taken_for(self._vectors),
            self._workspace.rng("gathering", self._experience),
        )

    @cached_property
    def _everyone(self) -> tuple[Attributions, NDArray[np.int64]]:
        with self._workspace.store.reading() as transaction:
            attributed = attributions.current(transaction)
            face_ids, experience_of = faces.experience_of_all(transaction)
        return attributed, experience_of[np.searchsorted(face_ids, attributed.face_ids)]

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        return embed(self._answer.network, self._held_out.images)[0]
