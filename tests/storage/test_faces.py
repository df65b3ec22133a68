from __future__ import annotations

import os

import numpy as np
import pytest
from sqlalchemy.exc import IntegrityError

from owcl.errors import NotFound
from owcl.types import UNKNOWN, Attributions, Face
from storage import attributions, classes, faces, memberships
from storage.store import Store


def face(letter: str, source: str = "a.png", experience: int = 1) -> faces.NewFace:
    return faces.NewFace(letter * 64, source, (64, 48), experience)


def test_the_same_content_is_one_face_within_a_call_and_across_calls(filled: Store) -> None:
    with filled.transaction() as transaction:
        assert faces.add_many(transaction, [face("a"), face("b"), face("a", "copy.png")]).tolist() == [
            11,
            12,
            11,
        ]
        assert faces.add_many(transaction, [face("c"), face("b", "b2.png")]).tolist() == [13, 12]
        assert [found.source for found in faces.by_ids(transaction, [11, 12])] == ["a.png", "a.png"]
        assert faces.count(transaction) == 13


def test_faces_come_back_as_given_in_the_order_asked_for(filled: Store) -> None:
    with filled.reading() as transaction:
        assert faces.by_ids(transaction, [7, 2, 7]) == [
            Face(7, f"{6:064x}", "6.png", (64, 48), 1),
            Face(2, f"{1:064x}", "1.png", (64, 48), 0),
            Face(7, f"{6:064x}", "6.png", (64, 48), 1),
        ]


def test_whether_faces_are_held_out_comes_back_in_the_order_asked_for(filled: Store) -> None:
    with filled.transaction() as transaction:
        (apart,) = faces.add_many(transaction, [faces.NewFace("f" * 64, "f.png", (64, 48), 1, held_out=True)])
        assert faces.are_held_out(transaction, np.array([apart, 2, apart])).tolist() == [True, False, True]
        assert faces.are_held_out(transaction, np.array([], np.int64)).tolist() == []
        with pytest.raises(NotFound, match="there is no face 99"):
            faces.are_held_out(transaction, np.array([2, 99]))


def test_faces_are_moved_to_another_experience(filled: Store) -> None:
    with filled.transaction() as transaction:
        faces.move(transaction, np.array([6, 8]), 0)
        assert faces.in_experience(transaction, 1).tolist() == [7, 9, 10]
        face_ids, came_in = faces.experience_of_all(transaction)
    assert face_ids.tolist() == list(range(1, 11))
    assert came_in.tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 1, 1]


def test_known_contents_are_told_from_new_ones(filled: Store) -> None:
    with filled.reading() as transaction:
        assert faces.known_sha256(transaction, [f"{3:064x}", "f" * 64]) == {f"{3:064x}"}
        assert faces.known_sha256(transaction, []) == set()


def test_experiences_keep_their_faces_apart(filled: Store) -> None:
    with filled.reading() as transaction:
        assert faces.in_experience(transaction, 1).tolist() == [6, 7, 8, 9, 10]
        assert faces.in_experience(transaction, 2).tolist() == []
        assert faces.in_experience(transaction, 2).dtype == np.int64
        assert faces.count(transaction, 0) == 5


def test_a_face_that_was_not_found_is_recorded(filled: Store) -> None:
    looked = [
        faces.NewFace(letter * 64, "x.png", (64, 48), 1, found)
        for letter, found in zip("abc", (True, False, None), strict=True)
    ]
    with filled.transaction() as transaction:
        ids = faces.add_many(transaction, looked)
        assert faces.without_face(transaction).tolist() == [ids[1]]
        assert faces.without_face(transaction, 0).tolist() == []


@pytest.mark.parametrize(
    "source", ["it's; DROP TABLE faces;--", "人/ü 🙂.png", os.fsdecode(b"caf\xe9.png"), "x" * 5000]
)
def test_any_path_round_trips(filled: Store, source: str) -> None:
    with filled.transaction() as transaction:
        ids = faces.add_many(transaction, [face("a", source)])
    with filled.reading() as transaction:
        assert faces.by_ids(transaction, ids)[0].source == source


def test_an_absent_face_is_named(filled: Store) -> None:
    with filled.reading() as transaction, pytest.raises(NotFound, match="there is no face 99"):
        faces.by_ids(transaction, [1, 99])


def test_a_face_without_area_is_refused(filled: Store) -> None:
    with pytest.raises(IntegrityError, match="size_is_positive"), filled.transaction() as transaction:
        faces.add_many(transaction, [faces.NewFace("a" * 64, "a.png", (0, 48), 1)])


def test_more_ids_than_one_statement_takes_are_read_in_pieces(filled: Store) -> None:
    rows = [faces.NewFace(f"{number:064x}", "", (1, 1), 1) for number in range(100, 100 + 40_000)]
    with filled.transaction() as transaction:
        ids = faces.add_many(transaction, rows)
        assert len(set(ids.tolist())) == 40_000
        found = faces.by_ids(transaction, ids[::-1])
    assert [one.sha256 for one in found] == [row.sha256 for row in reversed(rows)]


def test_the_pool_holds_faces_now_unknown_that_belong_to_no_class(filled: Store) -> None:
    def attribute(face_ids: list[int], class_id: int) -> None:
        n = len(face_ids)
        columns = np.array(face_ids), np.full(n, class_id), np.full(n, 0.5), np.full(n, 0.01)
        attributions.write(transaction, Attributions(*columns, model_version=1))

    with filled.transaction() as transaction:
        known = classes.create(transaction, "known")
        attribute([6, 7, 8, 9], UNKNOWN)
        attribute([7], known)  # recognised later
        attribute([10], known)
        attribute([10], UNKNOWN)  # no longer recognised
        memberships.assign(transaction, [8], known, memberships.Grounds("operator"))
        assert faces.pool(transaction).tolist() == [6, 9, 10]
        memberships.end(transaction, [8])
        assert faces.pool(transaction).tolist() == [6, 8, 9, 10]


def test_faces_that_were_taken_for_a_class_which_was_rejected_wait_again_but_its_members_do_not(
    filled: Store,
) -> None:
    with filled.transaction() as transaction:
        kept, merged, rejected = (classes.create(transaction, name) for name in ("kept", "merged", "gone"))
        columns = np.array([6, 7, 8, 9]), np.array([kept, merged, rejected, rejected])
        shares = np.full(4, 0.5), np.full(4, 0.3)
        attributions.write(transaction, Attributions(*columns, *shares, model_version=1))
        memberships.assign(transaction, [9], rejected, memberships.Grounds("promotion"))
        assert faces.pool(transaction).tolist() == []
        classes.merge(transaction, merged, rejected)
        classes.set_status(transaction, rejected, "rejected")
        assert faces.pool(transaction).tolist() == [7, 8]
