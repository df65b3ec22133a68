"""The continual setting, §9.1, §9.5 and §12 E26: tombstones, merges and exact undo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from owcl.errors import Conflict
from owcl.types import LIVE
from storage import classes, decisions, experiences, faces, memberships
from storage.store import Store


@pytest.fixture
def transaction(tmp_path: Path) -> Iterator[Connection]:
    """Classes 1 to 12 and faces 1 to 12, of which class n holds face n."""
    with Store.open(tmp_path / "owcl.db") as store, store.transaction() as begun:
        experiences.begin(begun, 1)
        faces.add_many(begun, [faces.NewFace(f"{n:064x}", f"{n}.png", (64, 64), 1) for n in range(12)])
        for number in range(1, 13):
            assert classes.create(begun) == number
            memberships.assign(begun, [number], number, memberships.Grounds("promotion"))
        yield begun


def merge(transaction: Connection, class_id: int, into: int) -> int:
    before = classes.snapshot(transaction, class_id)
    after = {**before, "status": "merged", "merged_into": into}
    change = decisions.Change("anna", "merge", f"class {class_id}", before, after)
    decision = decisions.record(transaction, change)
    classes.merge(transaction, class_id, into, classes.Edit(decision=decision))
    return decision


def undo(transaction: Connection, decision: int, class_id: int) -> None:
    undone = decisions.get(transaction, decision)
    change = decisions.Change("anna", "undo", undone.subject, undone.after, undone.before, undoes=decision)
    by = decisions.record(transaction, change)
    classes.restore(transaction, class_id, undone.before, classes.Edit(decision=by))


def test_e26_resolving_follows_the_chain_and_undo_shortens_it(transaction: Connection) -> None:
    merge(transaction, 12, into=10)
    second = merge(transaction, 10, into=7)
    assert classes.resolve(transaction, 12) == 7
    undo(transaction, second, 10)
    assert classes.resolve(transaction, 12) == 10


def test_e26_a_merge_that_closes_a_ring_is_refused_by_naming_it(transaction: Connection) -> None:
    merge(transaction, 12, into=10)
    merge(transaction, 10, into=7)
    with pytest.raises(Conflict, match=r"class 7: it cannot be merged into class 12, .*: 12 → 10 → 7"):
        classes.merge(transaction, 7, into=12)
    assert classes.resolve(transaction, 12) == 7


def test_e26_undo_cannot_close_a_ring_either(transaction: Connection) -> None:
    first = merge(transaction, 12, into=10)
    merged = classes.snapshot(transaction, 12)
    undo(transaction, first, 12)
    merge(transaction, 10, into=12)
    with pytest.raises(Conflict, match="leads back to it: 10 → 12"):
        classes.restore(transaction, 12, merged)


def test_tombstones_keep_their_id_and_it_is_never_given_again(transaction: Connection) -> None:
    merge(transaction, 12, into=10)
    classes.set_status(transaction, 11, "rejected")
    tombstones = [classes.get(transaction, class_id) for class_id in (11, 12)]
    assert [(entry.status, entry.merged_into) for entry in tombstones] == [("rejected", None), ("merged", 10)]
    assert all(entry.status not in LIVE for entry in tombstones)
    assert classes.create(transaction) == 13


def test_undoing_merges_in_any_order_restores_the_exact_member_sets(transaction: Connection) -> None:
    def members() -> list[list[int]]:
        return [memberships.members(transaction, class_id).tolist() for class_id in (7, 10, 12)]

    first = merge(transaction, 12, into=10)
    second = merge(transaction, 10, into=7)
    assert members() == [[7, 10, 12], [], []]
    undo(transaction, first, 12)
    assert members() == [[7, 10], [], [12]]
    undo(transaction, second, 10)
    assert members() == [[7], [10], [12]]


def test_each_action_is_a_row_with_before_and_after_and_undo_is_another(transaction: Connection) -> None:
    first = merge(transaction, 12, into=10)
    undo(transaction, first, 12)
    undone, made = decisions.history(transaction, "class 12")
    assert (made.verb, made.before["status"], made.after["status"]) == ("merge", "provisional", "merged")
    assert (undone.before, undone.after) == (made.after, made.before)
    assert decisions.undoes(transaction, undone.id) == made.id
