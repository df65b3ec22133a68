from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from owcl.errors import Conflict, NotFound
from storage import decisions
from storage.decisions import Change
from storage.store import Store

VERBS = ("name", "merge")


def name(transaction: Connection, subject: str = "class 1") -> int:
    return decisions.record(transaction, Change("anna", "name", subject, {"name": "a"}, {"name": "b"}))


def undo(transaction: Connection, decision: int) -> int:
    return decisions.record(transaction, Change("ben", "undo", "class 1", undoes=decision))


def undoable(transaction: Connection) -> int | None:
    found = decisions.latest_undoable(transaction, VERBS)
    return None if found is None else found.id


def redoable(transaction: Connection) -> int | None:
    found = decisions.latest_redoable(transaction, VERBS)
    return None if found is None else found.id


def test_a_decision_comes_back_as_made(store: Store) -> None:
    with store.transaction() as transaction:
        found = decisions.get(transaction, name(transaction))
    assert (found.who, found.verb, found.subject) == ("anna", "name", "class 1")
    assert (found.before, found.after) == ({"name": "a"}, {"name": "b"})
    assert abs(found.when - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_history_is_newest_first_and_knows_its_subjects(store: Store) -> None:
    with store.transaction() as transaction:
        ids = [name(transaction, f"class {number}") for number in (1, 2, 1)]
        assert [one.id for one in decisions.history(transaction)] == ids[::-1]
        assert [one.id for one in decisions.history(transaction, "class 1")] == [ids[2], ids[0]]
        assert [one.id for one in decisions.history(transaction, limit=1)] == [ids[2]]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE decisions SET who = 'nobody'",
        "DELETE FROM decisions",
        'INSERT OR REPLACE INTO decisions (id, "when", who, verb, subject, "before", "after") '
        "VALUES (1, '2020-01-01', 'x', 'x', 'x', '{}', '{}')",
    ],
)
def test_the_log_refuses_every_change(store: Store, statement: str) -> None:
    with store.transaction() as transaction:
        name(transaction)
    with pytest.raises(IntegrityError, match="the log only grows"), store.transaction() as transaction:
        transaction.execute(text(statement))
    with store.reading() as transaction:
        assert [one.who for one in decisions.history(transaction)] == ["anna"]


def test_undo_and_redo_walk_back_and_forth(store: Store) -> None:
    with store.transaction() as transaction:
        first, second = name(transaction), name(transaction)
        assert (undoable(transaction), redoable(transaction)) == (second, None)
        second_undone = undo(transaction, second)
        assert (undoable(transaction), redoable(transaction)) == (first, second_undone)
        first_undone = undo(transaction, first)
        assert (undoable(transaction), redoable(transaction)) == (None, first_undone)
        first_redone = undo(transaction, first_undone)
        assert (undoable(transaction), redoable(transaction)) == (first_redone, second_undone)
        second_redone = undo(transaction, second_undone)
        assert (undoable(transaction), redoable(transaction)) == (second_redone, None)
        assert decisions.original(transaction, second_redone).id == second
        assert decisions.last_of_chain(transaction, second) == second_redone


def test_the_newest_of_one_person_passes_over_what_others_decided(store: Store) -> None:
    with store.transaction() as transaction:
        annas = name(transaction)
        bens = decisions.record(transaction, Change("ben", "name", "class 2"))
        for who, newest in (("anna", annas), ("ben", bens)):
            found = decisions.latest_undoable(transaction, VERBS, who)
            assert found is not None
            assert found.id == newest
        assert decisions.latest_undoable(transaction, VERBS, "carl") is None


def test_nothing_is_redone_once_something_new_was_decided(store: Store) -> None:
    with store.transaction() as transaction:
        undo(transaction, name(transaction))
        newer = name(transaction)
        assert (undoable(transaction), redoable(transaction)) == (newer, None)


def test_decisions_with_other_verbs_are_passed_over(store: Store) -> None:
    with store.transaction() as transaction:
        first = name(transaction)
        decisions.record(transaction, Change("owcl", "promote", "class 2"))
        assert undoable(transaction) == first


def test_a_decision_is_undone_once(store: Store) -> None:
    with store.transaction() as transaction:
        first = name(transaction)
        undo(transaction, first)
        with pytest.raises(Conflict, match="decision 1: ben has undone it already, in decision 2"):
            undo(transaction, first)
        with pytest.raises(NotFound, match="decision 99: there is none"):
            undo(transaction, 99)
