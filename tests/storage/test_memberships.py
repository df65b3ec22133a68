from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, func, select

from owcl.errors import NotFound
from storage import changes, classes, decisions, memberships
from storage.memberships import Grounds
from storage.schema import MembershipRow
from storage.store import Store


@pytest.fixture
def transaction(filled: Store) -> Iterator[Connection]:
    """Classes 1, 2 and 3, to write into."""
    with filled.transaction() as begun:
        for name in "abc":
            classes.create(begun, name)
        yield begun


def decide(transaction: Connection) -> int:
    return decisions.record(transaction, decisions.Change("anna", "split", "class 1"))


def where(transaction: Connection) -> dict[int, tuple[int, str, float]]:
    now = memberships.active(transaction)
    rows = zip(now.class_ids.tolist(), now.origins, now.weights.tolist(), strict=True)
    return dict(zip(now.face_ids.tolist(), rows, strict=True))


def test_a_face_belongs_to_one_class_and_its_past_is_kept(transaction: Connection) -> None:
    memberships.assign(transaction, [6, 7], 1, Grounds("promotion"))
    memberships.assign(transaction, [7], 2, Grounds("operator", weight=3.0))
    assert where(transaction) == {6: (1, "promotion", 1.0), 7: (2, "operator", 3.0)}
    assert transaction.execute(select(func.count()).select_from(MembershipRow)).scalar() == 3


def test_assigning_the_same_again_writes_nothing(transaction: Connection) -> None:
    for _ in range(2):
        memberships.assign(transaction, [6, 7, 6], 1, Grounds("pseudo", 0.5))
    assert transaction.execute(select(func.count()).select_from(MembershipRow)).scalar() == 2


def test_members_of_a_merged_class_are_read_under_its_target_and_come_back(transaction: Connection) -> None:
    memberships.assign(transaction, [6], 1, Grounds("promotion"))
    memberships.assign(transaction, [7, 8], 2, Grounds("promotion"))
    before = classes.snapshot(transaction, 2)
    classes.merge(transaction, 2, into=1)
    assert memberships.members(transaction, 1).tolist() == [6, 7, 8]
    assert memberships.members(transaction, 2).tolist() == []
    memberships.assign(transaction, [9], 1, Grounds("promotion"))
    classes.restore(transaction, 2, before)
    assert memberships.members(transaction, 1).tolist() == [6, 9]
    assert memberships.members(transaction, 2).tolist() == [7, 8]


def test_a_decision_is_taken_back_exactly_and_made_again(transaction: Connection) -> None:
    memberships.assign(transaction, [6, 7, 8], 1, Grounds("promotion", 0.5))
    memberships.assign(transaction, [9], 2, Grounds("pseudo"))
    before = where(transaction)
    split = decide(transaction)
    memberships.assign(transaction, [7, 9, 10], 3, Grounds("operator", 2.0, split))
    memberships.end(transaction, [8], split)
    after = where(transaction)
    assert memberships.moved_by(transaction, split) == {7: (1, 3), 8: (1, None), 9: (2, 3), 10: (None, 3)}
    latest = split
    for expected in (before, after, before, after):
        by = decide(transaction)
        assert memberships.revert(transaction, latest, by).tolist() == [7, 8, 9, 10]
        assert where(transaction) == expected
        latest = by


def taking_back(transaction: Connection, decision: int) -> int:
    return decisions.record(transaction, decisions.Change("anna", "undo", "class 1", undoes=decision))


def test_decisions_on_the_same_faces_are_taken_back_one_after_the_other(transaction: Connection) -> None:
    memberships.assign(transaction, [6, 7, 8], 1, Grounds("promotion"))
    before = where(transaction)
    made, labelled, released = (decide(transaction) for _ in range(3))
    memberships.assign(transaction, [6, 7, 8], 2, Grounds("operator", decision=made))
    memberships.assign(transaction, [7, 8], 3, Grounds("operator", decision=labelled))
    memberships.end(transaction, [8], released)
    memberships.revert(transaction, released, taking_back(transaction, released))
    assert where(transaction)[8] == (3, "operator", 1.0)
    memberships.revert(transaction, labelled, taking_back(transaction, labelled))
    assert memberships.revert(transaction, made, taking_back(transaction, made)).tolist() == [6, 7, 8]
    assert where(transaction) == before


def test_a_release_is_taken_back_after_what_came_later_was(transaction: Connection) -> None:
    memberships.assign(transaction, [6], 1, Grounds("promotion"))
    released, made = decide(transaction), decide(transaction)
    memberships.end(transaction, [6], released)
    memberships.assign(transaction, [6], 2, Grounds("operator", decision=made))
    memberships.revert(transaction, made, taking_back(transaction, made))
    assert where(transaction) == {}
    memberships.revert(transaction, released, taking_back(transaction, released))
    assert where(transaction) == {6: (1, "promotion", 1.0)}


def test_taking_back_leaves_faces_that_were_moved_since(transaction: Connection) -> None:
    memberships.assign(transaction, [6, 7, 8], 1, Grounds("promotion"))
    first = decide(transaction)
    memberships.assign(transaction, [6, 7], 2, Grounds("operator", decision=first))
    memberships.end(transaction, [8], first)
    memberships.assign(transaction, [7, 8], 3, Grounds("operator", decision=decide(transaction)))
    memberships.end(transaction, [8])
    assert memberships.revert(transaction, first, decide(transaction)).tolist() == [6]
    assert where(transaction) == {6: (1, "promotion", 1.0), 7: (3, "operator", 1.0)}


def test_steps_within_one_decision_are_taken_back_as_one(transaction: Connection) -> None:
    memberships.assign(transaction, [6], 1, Grounds("promotion"))
    decision = decide(transaction)
    memberships.assign(transaction, [6], 2, Grounds("operator", decision=decision))
    memberships.assign(transaction, [6], 3, Grounds("operator", decision=decision))
    assert memberships.moved_by(transaction, decision) == {6: (1, 3)}
    memberships.revert(transaction, decision, decide(transaction))
    assert where(transaction) == {6: (1, "promotion", 1.0)}


def test_an_absent_class_takes_no_members(transaction: Connection) -> None:
    with pytest.raises(NotFound, match="there is no class 9"):
        memberships.assign(transaction, [6], 9, Grounds("operator"))
    with pytest.raises(NotFound, match="there is no class 9"):
        memberships.members(transaction, 9)


def test_the_state_is_another_after_any_membership_began_or_ended(filled: Store) -> None:
    with filled.transaction() as transaction:
        assert changes.state(transaction).memberships == (0, 0)
        class_id = classes.create(transaction, "zebra")
        seen = [changes.state(transaction).memberships]
        memberships.assign(transaction, [1, 2], class_id, Grounds("label"))
        seen.append(changes.state(transaction).memberships)
        memberships.end(transaction, [2])
        seen.append(changes.state(transaction).memberships)
    assert len(set(seen)) == 3
