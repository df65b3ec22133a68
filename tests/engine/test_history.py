"""Every decision can be taken back, as long as nothing came after it that would be lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from owcl.engine import class_view, history, registry
from owcl.errors import Conflict, NotFound
from storage import classes, decisions, memberships
from storage.store import Store
from tests.engine.conftest import members, registered


def open_ends(store: Store) -> dict[int, bool]:
    """Return the decisions that can be taken back, and whether doing so is a redo."""
    with store.reading() as transaction:
        return decisions.open_ends(transaction, history.UNDOABLE)


def test_any_decision_can_be_taken_back_if_nothing_later_touched_the_same_class(store: Store) -> None:
    registry.name(store, "2", "a", "anna")
    registry.name(store, "3", "b", "anna")
    assert open_ends(store) == {1: False, 2: False}
    history.undo(store, "ben", 1)
    assert [line.name for line in class_view.list_classes(store)] == ["real", "new-2", "b"]
    with pytest.raises(Conflict, match="decision 1: it is nothing to undo"):
        history.undo(store, "ben", 1)
    assert open_ends(store) == {2: False, 3: True}
    history.redo(store, "ben", 3)
    assert [line.name for line in class_view.list_classes(store)] == ["real", "a", "b"]


def test_undo_goes_back_through_all_decisions_and_redo_forth_again(store: Store) -> None:
    def everything() -> tuple[object, object]:
        return registered(store)[:3], {k: v for k, v in members(store).items() if k <= 3}

    steps: tuple[Callable[[], object], ...] = (
        lambda: registry.name(store, "2", "a", "anna"),
        lambda: registry.split(store, "2", [7], "anna"),
        lambda: registry.merge(store, "3", "2", "anna"),
        lambda: registry.reject(store, "real", "anna"),
        lambda: registry.name(store, "2", "b", "anna"),
    )
    states = [everything()]
    for step in steps:
        step()
        states.append(everything())
    for state in reversed(states[:-1]):
        history.undo(store, "anna")
        assert everything() == state
    for state in states[1:]:
        history.redo(store, "anna")
        assert everything() == state


def test_with_nothing_to_take_back_undo_and_redo_say_so(store: Store) -> None:
    with pytest.raises(NotFound, match="history: there is nothing to undo"):
        history.undo(store, "anna")
    registry.reject(store, "2", "anna")
    with pytest.raises(NotFound, match="history: there is nothing to redo"):
        history.redo(store, "anna")


def test_a_person_goes_back_through_decisions_of_their_own_alone(store: Store) -> None:
    registry.name(store, "2", "a", "anna")
    registry.name(store, "3", "b", "ben")
    assert history.undo_own(store, "anna").id == 1
    assert [line.name for line in class_view.list_classes(store)] == ["real", "new-2", "b"]
    with pytest.raises(NotFound, match="history: there is nothing of anna to undo"):
        history.undo_own(store, "anna")


def test_undo_refuses_to_overwrite_what_came_later(store: Store) -> None:
    registry.name(store, "2", "a", "anna")
    with store.transaction() as transaction:
        classes.restore(transaction, 2, classes.snapshot(transaction, 2) | {"family": "swap"})
    with pytest.raises(Conflict, match=r"class 2: it was changed again after decision 1 \(name by anna\)"):
        history.undo(store, "anna")


def test_undo_of_a_split_refuses_to_lose_faces_that_joined_since(store: Store) -> None:
    new = registry.split(store, "2", [5], "anna")
    with store.transaction() as transaction:
        memberships.assign(transaction, [13], new.id, memberships.Grounds("pseudo"))
    with pytest.raises(Conflict, match="class 4: it was changed again"):
        history.undo(store, "anna")
    assert members(store)[4] == [5, 13]
