"""Which classes remembered faces stand for, and what is made of them before a learner sees them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from owcl.engine import history, registry
from owcl.engine.memory import (
    LARGEST_CALIBRATION,
    OPERATOR_REPEATS,
    held_out_faces,
    learned,
    operators_repeated,
    recall,
    remember,
)
from owcl.memory.replay import LABELLED, OPERATOR_LABELLED, PSEUDO_LABELLED, Exemplars
from storage import faces, memberships
from storage.store import Store

REAL, FIRST, SECOND = 1, 2, 3
AS_LEARNED = {1: (REAL, LABELLED), 5: (FIRST, PSEUDO_LABELLED), 13: (FIRST, PSEUDO_LABELLED)}
"""Faces with the class that they are remembered under, and on whose word; the last belongs to none."""


@pytest.fixture
def remembering(store: Store) -> Store:
    class_ids, origins = zip(*AS_LEARNED.values(), strict=True)
    kept = Exemplars(
        np.array(list(AS_LEARNED)),
        np.zeros((3, 3, 4, 4), np.uint8),
        np.array(class_ids),
        np.ones(3, np.float32),
        np.array(origins, np.int8),
    )
    with store.transaction() as transaction:
        remember(transaction, kept)
    return store


def remembered(store: Store) -> dict[int, tuple[int, int]]:
    with store.reading() as transaction:
        found = recall(transaction)
    columns = found.class_ids.tolist(), found.origins.tolist()
    return dict(zip(found.face_ids.tolist(), zip(*columns, strict=True), strict=True))


def test_a_face_is_remembered_in_the_class_that_an_operator_put_it_into_until_that_is_undone(
    remembering: Store,
) -> None:
    registry.label(remembering, str(SECOND), [5], "anna")
    assert remembered(remembering) == AS_LEARNED | {5: (SECOND, OPERATOR_LABELLED)}
    with remembering.transaction() as transaction:
        remember(transaction, recall(transaction))
    history.undo(remembering, "anna")
    assert remembered(remembering) == AS_LEARNED


def test_of_many_held_out_faces_some_of_every_video_calibrate(store: Store) -> None:
    new = [
        faces.NewFace(f"{number:064x}", f"video-{number // 200}.png", (64, 64), 0, held_out=True)
        for number in range(100, 1100)
    ]
    with store.transaction() as transaction:
        memberships.assign(transaction, faces.add_many(transaction, new), REAL, memberships.Grounds("label"))
        face_ids, class_ids = held_out_faces(transaction)
        sources = [face.source for face in faces.by_ids(transaction, face_ids)]
    assert set(class_ids.tolist()) == {REAL}
    assert len(set(face_ids.tolist())) == LARGEST_CALIBRATION == 250
    assert sorted(Counter(sources).values()) == [25, 25, 50, 50, 50, 50]


def test_what_was_recognised_as_more_of_a_labelled_class_does_not_calibrate(store: Store) -> None:
    new = [faces.NewFace(f"{n:064x}", f"{n}.png", (64, 64), 1, held_out=True) for n in range(100, 103)]
    with store.transaction() as transaction:
        recognised, labelled, discovered = faces.add_many(transaction, new).tolist()
        memberships.assign(transaction, [recognised], REAL, memberships.Grounds("promotion"))
        memberships.assign(transaction, [labelled], REAL, memberships.Grounds("operator"))
        memberships.assign(transaction, [discovered], FIRST, memberships.Grounds("promotion"))
        face_ids, class_ids = held_out_faces(transaction)
    assert face_ids.tolist() == [labelled, discovered]
    assert class_ids.tolist() == [REAL, FIRST]


def test_what_was_taken_out_of_a_class_is_remembered_no_longer(remembering: Store) -> None:
    registry.release(remembering, str(FIRST), [5], "anna")
    assert remembered(remembering).keys() == {1, 13}


def test_a_class_that_was_merged_and_learned_as_another_has_its_members_back_when_that_is_undone(
    remembering: Store,
) -> None:
    registry.merge(remembering, str(FIRST), str(SECOND), "anna")
    with remembering.transaction() as transaction:
        remember(transaction, recall(transaction))
        assert learned(transaction) == {1: REAL, 5: SECOND, 13: SECOND}
    history.undo(remembering, "anna")
    assert remembered(remembering)[5] == AS_LEARNED[5]
    with remembering.reading() as transaction:
        assert learned(transaction)[5] == SECOND


def test_faces_of_a_rejected_class_are_not_remembered(remembering: Store) -> None:
    registry.reject(remembering, str(FIRST), "anna")
    assert remembered(remembering).keys() == {1}
    with remembering.reading() as transaction:
        assert learned(transaction) == {1: REAL}


def test_a_face_on_an_operators_word_takes_part_more_often_than_others_of_its_class() -> None:
    origins = np.array([LABELLED, OPERATOR_LABELLED, PSEUDO_LABELLED], np.int8)
    images = np.arange(3, dtype=np.uint8)[:, None, None, None]
    part = Exemplars(np.array([11, 12, 13]), images, np.array([1, 2, 2]), np.ones(3, np.float32), origins)
    drawn = operators_repeated(part)
    assert drawn.face_ids.tolist() == [11, *[12] * OPERATOR_REPEATS, 13]
    assert drawn.images[:, 0, 0, 0].tolist() == [0, *[1] * OPERATOR_REPEATS, 2]
    assert OPERATOR_REPEATS > 1
