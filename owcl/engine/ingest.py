"""`owcl ingest`: files to faces with their first attribution, a batch a transaction."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from sqlalchemy import Connection

from owcl.engine.answer import Answer
from owcl.engine.journal import journalled
from owcl.engine.workspace import Report, Workspace, silent
from owcl.faces.load import LoadedFace, batched, stacked
from owcl.faces.sources import expand
from owcl.memory.held_out import is_drawn
from owcl.models.embed import BATCH
from owcl.novelty.drift import ALARM_RATE, arrival
from owcl.novelty.shift import WINDOWS, Shift, ShiftTest
from owcl.types import UNKNOWN, Attributions, Embeddings, Quarantined
from storage import attributions, classes, embeddings, experiences, faces, quarantine

logger = logging.getLogger(__name__)

NAMED = 5
"""Images that could not be read of which a step says why; more would push its figures out of sight."""
READ_AT_ONCE = 10_000
"""Faces whose embeddings are looked at together."""


@dataclass(frozen=True)
class IngestResult:
    """What came in."""

    experience: int
    new: int
    already: int
    """Images whose content was there before."""
    quarantined: int
    refused: tuple[Quarantined, ...]
    """The first few of these, with the reasons; the store has them all."""
    known: int
    unknown: int
    without_face: int
    """Images taken whole, because a face was looked for in vain."""
    alarm: Alarm | None
    seconds: float


@dataclass(frozen=True)
class Alarm:
    """The faces of the experience are not what known ones would be."""

    unusual: int
    """Faces with a p-value of at most 5 %: a few of them mean nothing, many do."""
    faces: int
    since: str | None
    """The file at which the stream was seen to change, where that can be said."""
    shifted: str | None
    """The class for which faces are taken whose mean is elsewhere."""

    def __str__(self) -> str:
        taken = f", and those taken for {self.shifted} are not where its own are" if self.shifted else ""
        return (
            f"{self.unusual} of {self.faces} faces are as unusual as 1 in 20 known ones is{taken}. A new "
            "generator may have arrived, or known faces were compressed again or resized"
        )


@journalled("ingest", alone=False)
def ingest(workspace: Workspace, inputs: Sequence[str], report: Report = silent) -> IngestResult:
    """Take in unlabelled faces and attribute them.

    Each batch is one transaction, and a content is taken in once: killed at any moment, it goes on when it
    is run again. Faces join the open experience until `discover` closes it, which it may do meanwhile; the
    first face after that begins the next one.

    Args:
        workspace: with a model.
        inputs: files, folders, globs, zip archives.
        report: told of progress.

    Raises:
        BadInput: if an input does not exist, or there is no model.
    """
    began = time.monotonic()
    answer = workspace.answer()
    new = already = quarantined = unknown = without_face = done = 0
    refused: list[Quarantined] = []
    for batch in _embedded(workspace, answer, batched(workspace.loaded(expand(inputs)), BATCH)):
        unknown += _take_in(workspace, answer, batch)
        new += len(batch.fresh)
        already += batch.already
        quarantined += len(batch.bad)
        refused += batch.bad[: NAMED - len(refused)]
        without_face += sum(face.face_found is False for face in batch.fresh)
        done += len(batch.fresh) + batch.already + len(batch.bad)
        report("ingesting faces", done, None)
    experience, is_open = _settled(workspace)
    alarm = _alarm(workspace, answer, experience) if is_open else None
    if alarm is not None:
        logger.warning("experience %d: %s: discover tells which", experience, alarm)
    seconds = time.monotonic() - began
    return IngestResult(
        experience,
        new,
        already,
        quarantined,
        tuple(refused),
        new - unknown,
        unknown,
        without_face,
        alarm,
        seconds,
    )


def _alarm(workspace: Workspace, answer: Answer, experience: int) -> Alarm | None:
    """Compare the faces of the open experience, in the order in which they came, with known ones."""
    with workspace.store.reading() as transaction:
        seen = attributions.first_sight(transaction, experience)
        found = arrival(seen.p_values, answer.doubts.size)
        missing = embeddings.missing(transaction, answer.version, experience)
        shift = _shift(transaction, answer, seen.face_ids, missing)
        if found is None and shift is None:
            return None
        positions = (found.since if found else None, shift.position if shift else None)
        noticed = sorted(position for position in positions if position is not None)[:1]
        since = faces.by_ids(transaction, seen.face_ids[noticed])
        shifted = classes.get(transaction, shift.class_id).name if shift else None
    unusual = int((seen.p_values <= ALARM_RATE).sum())
    return Alarm(unusual, len(seen.face_ids), since[0].source if since else None, shifted)


def _shift(
    transaction: Connection, answer: Answer, face_ids: NDArray[np.int64], missing: NDArray[np.int64]
) -> Shift | None:
    taken_for = answer.taken_for(answer.held_out)
    # What discovery found of a class is not a fair sample of it: the faces that stood out.
    labelled = [entry.id for entry in classes.live(transaction) if entry.status == "known"]
    fair = np.isin(taken_for, labelled)
    test = ShiftTest(answer.held_out[fair], taken_for[fair])
    # What came in while a new version was learned was embedded by the earlier one.
    rows = np.flatnonzero(~np.isin(face_ids, missing))
    for start in range(0, len(rows), READ_AT_ONCE):
        begin = max(0, start - max(WINDOWS))
        part = rows[begin : start + READ_AT_ONCE]
        vectors = embeddings.read(transaction, answer.version, face_ids[part]).vectors
        found = test.first(vectors, answer.taken_for(vectors))
        if found is not None:
            return replace(found, position=int(part[found.position]))
    return None


def _settled(workspace: Workspace) -> tuple[int, bool]:
    """Return the latest experience, and whether faces still join it; all that came in is ready to look at."""
    with workspace.store.transaction() as transaction:
        latest = experiences.latest(transaction)
        assert latest is not None  # A workspace with a model has experience 0.
        if latest.state == "open":
            experiences.set_state(transaction, latest.index, "ingested")
        return latest.index, _is_joined(latest)


def _open_experience(transaction: Connection, begin: bool) -> int | None:
    """Return the experience that faces join now; none where there is none and none is to begin."""
    latest = experiences.latest(transaction)
    assert latest is not None  # A workspace with a model has experience 0.
    if _is_joined(latest):
        return latest.index
    if not begin:
        return None
    experiences.begin(transaction, latest.index + 1)
    return latest.index + 1


def _is_joined(latest: experiences.ExperienceStatus) -> bool:
    return not latest.labelled and latest.state in ("open", "ingested")


@dataclass(frozen=True)
class _Batch:
    """What was read together."""

    fresh: list[LoadedFace]
    """Faces whose content is not in the store yet, each content once."""
    embedded: Embeddings
    """Of them; the ids are their positions."""
    judged: Attributions
    already: int
    bad: list[Quarantined]


def _embedded(
    workspace: Workspace, answer: Answer, batches: Iterable[list[LoadedFace | Quarantined]]
) -> Iterator[_Batch]:
    """Yield batches in order, embedded ahead while those before them are written.

    On a processor each of several workers embeds a batch on one core: cores that share a batch wait for each
    other whenever one of them is called away to decode or to write.
    """
    cores = torch.get_num_threads()
    workers = cores if next(answer.network.parameters()).device.type == "cpu" else 1
    waiting: deque[
        tuple[list[LoadedFace], Future[tuple[Embeddings, Attributions]], int, list[Quarantined]]
    ] = deque()
    on_the_way: set[str] = set()

    def oldest() -> _Batch:
        fresh, judging, already, bad = waiting.popleft()
        batch = _Batch(fresh, *judging.result(), already, bad)
        on_the_way.difference_update(face.sha256 for face in fresh)
        return batch

    with ThreadPoolExecutor(workers, "judge", _compute_on, (cores // workers,)) as pool:
        for batch in batches:
            good = [result for result in batch if isinstance(result, LoadedFace)]
            bad = [result for result in batch if isinstance(result, Quarantined)]
            fresh = _fresh(workspace, good, on_the_way)
            on_the_way.update(face.sha256 for face in fresh)
            judging = pool.submit(_judged, answer, fresh)
            waiting.append((fresh, judging, len(good) - len(fresh), bad))
            if len(waiting) > workers:
                yield oldest()
        while waiting:
            yield oldest()


def _compute_on(cores: int) -> None:
    """Let the thread that calls share its work among so many cores."""
    import faiss

    torch.set_num_threads(cores)
    faiss.omp_set_num_threads(cores)


def _fresh(workspace: Workspace, loaded: Sequence[LoadedFace], on_the_way: Set[str]) -> list[LoadedFace]:
    """Return the faces whose content is neither stored nor about to be, each content once."""
    unique = {face.sha256: face for face in reversed(loaded) if face.sha256 not in on_the_way}
    with workspace.store.reading() as transaction:
        known = faces.known_sha256(transaction, unique)
    return [face for sha256, face in reversed(unique.items()) if sha256 not in known]


def _judged(answer: Answer, fresh: Sequence[LoadedFace]) -> tuple[Embeddings, Attributions]:
    images = stacked(fresh, len(fresh[0].pixels) if fresh else 1)
    embedded = answer.embed(np.arange(len(fresh)), images)
    return embedded, answer.attribute(embedded)


def _take_in(workspace: Workspace, answer: Answer, batch: _Batch) -> int:
    """Write a batch and return how many of its faces are unknown."""
    with workspace.store.transaction() as transaction:
        experience = _open_experience(transaction, begin=bool(batch.fresh))
        if experience is not None:
            share = workspace.configuration.memory.calibration_share
            rows = [
                faces.NewFace(
                    face.sha256,
                    face.source,
                    face.size,
                    experience,
                    face.face_found,
                    is_drawn(face.sha256, share),
                )
                for face in batch.fresh
            ]
            face_ids = faces.add_many(transaction, rows)
            embeddings.write(transaction, Embeddings(face_ids, batch.embedded.vectors, answer.version))
            attributions.write(transaction, _of_faces(batch.judged, face_ids))
        quarantine.add_many(transaction, batch.bad, experience)
    return int((batch.judged.class_ids == UNKNOWN).sum())


def _of_faces(judged: Attributions, face_ids: NDArray[np.int64]) -> Attributions:
    return replace(judged, face_ids=face_ids)
