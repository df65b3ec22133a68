from __future__ import annotations

import re

import numpy as np
import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import IntegrityError

from owcl.errors import BadInput, Conflict, NotFound
from owcl.types import MethodClass
from storage import classes, decisions, merges
from storage.classes import Edit
from storage.schema import ClassRow
from storage.store import Store
from tests.storage.test_names import HOSTILE

AT_ANY_TIME = Edit()


def change(transaction: Connection, class_id: int, edit: Edit = AT_ANY_TIME, **values: str | None) -> None:
    classes.restore(transaction, class_id, classes.snapshot(transaction, class_id) | values, edit)


def test_a_class_comes_back_as_created(filled: Store) -> None:
    birth = classes.Birth(experience=1, evidence={"size": 31})
    with filled.transaction() as transaction:
        class_id = classes.create(transaction, "StyleGAN", "named", "entire-face synthesis", birth)
        found = classes.details(transaction, class_id)
    assert found.entry == MethodClass(1, "StyleGAN", "entire-face synthesis", "named", None)
    assert (found.version, found.born, found.evidence) == (1, 1, {"size": 31})


def test_a_class_without_a_name_is_called_by_its_id(store: Store) -> None:
    with store.transaction() as transaction:
        ids = [classes.create(transaction) for _ in range(3)]
        assert [classes.get(transaction, id_).name for id_ in ids] == ["new-1", "new-2", "new-3"]
        assert classes.find(transaction, "NEW-2").id == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_round_trip_and_harm_nothing(store: Store, name: str) -> None:
    with store.transaction() as transaction:
        first = classes.create(transaction, "first")
        class_id = classes.create(transaction, name)
        change(transaction, first, name=f"{name}!")
    with store.reading() as transaction:
        assert classes.get(transaction, class_id).name == name
        assert classes.find(transaction, f"  {name.upper()} ").id == class_id
        assert [entry.name for entry in classes.everything(transaction)] == [f"{name}!", name]


def test_live_classes_differ_in_name_without_regard_to_case(store: Store) -> None:
    with store.transaction() as transaction:
        first = classes.create(transaction, "StyleGAN")
        second = classes.create(transaction, "other")
        with pytest.raises(Conflict, match=r"'stylegan' belongs to class 1 \('StyleGAN', provisional\)"):
            classes.create(transaction, "stylegan")
        with pytest.raises(Conflict, match="belongs to class 1"):
            change(transaction, second, name="STYLEGAN")
        change(transaction, first, name="Stylegan")  # its own name in other letters
        classes.set_status(transaction, first, "rejected")
        change(transaction, second, name="stylegan")  # a tombstone holds no name
        with pytest.raises(Conflict, match="belongs to class 2"):
            classes.set_status(transaction, first, "provisional")


def test_the_database_itself_refuses_a_second_live_class_of_a_name(store: Store) -> None:
    with store.transaction() as transaction:
        classes.create(transaction, "twice")
        row = transaction.execute(select(ClassRow.__table__)).mappings().one()
        with pytest.raises(IntegrityError, match="UNIQUE"):
            transaction.execute(insert(ClassRow).values({**row, "id": 2}))


def test_a_class_is_found_by_id_before_name(store: Store) -> None:
    with store.transaction() as transaction:
        first = classes.create(transaction, "2")
        second = classes.create(transaction, "real")
        classes.create(transaction, "99")
        assert classes.find(transaction, "2").id == second
        assert classes.find(transaction, "1").id == first
        assert classes.find(transaction, "99").name == "99"
        with pytest.raises(NotFound, match=r"no class 'fake'. Classes: '2', 'real', '99'"):
            classes.find(transaction, "fake")


def test_the_live_are_those_that_may_be_predicted(store: Store) -> None:
    with store.transaction() as transaction:
        for name, status in (("a", "known"), ("b", "provisional"), ("c", "named"), ("d", "rejected")):
            classes.create(transaction, name, status)  # type: ignore[arg-type]
        e = classes.create(transaction, "e")
        classes.merge(transaction, e, into=1)
        assert [entry.name for entry in classes.live(transaction)] == ["a", "b", "c"]
        assert len(classes.everything(transaction)) == 5


def test_a_stale_change_is_refused_with_who_what_and_when(store: Store) -> None:
    with store.transaction() as transaction:
        class_id = classes.create(transaction, "before")
        seen = classes.details(transaction, class_id).version
        decision = decisions.record(transaction, decisions.Change("anna", "name", f"class {class_id}"))
        change(transaction, class_id, Edit(seen, decision), name="by anna")
    words = r"class 1 was renamed by anna at \d\d:\d\d, after this page was loaded. Reload and decide again."
    changes = (
        lambda t: change(t, class_id, Edit(seen), name="by ben"),
        lambda t: classes.set_status(t, class_id, "rejected", Edit(seen)),
        lambda t: classes.set_evidence(t, class_id, {}, Edit(seen)),
        lambda t: classes.merge(t, class_id, classes.create(t, "other"), Edit(seen)),
    )
    for late in changes:
        with store.transaction() as transaction, pytest.raises(Conflict, match=words) as refusal:
            late(transaction)
    at = re.search(r"\d\d:\d\d", str(refusal.value))
    with store.transaction() as transaction:
        changed = classes.details(transaction, class_id).changed
        assert at is not None
        assert at.group() == f"{changed.astimezone():%H:%M}"
        change(transaction, class_id, Edit(seen + 1), name="by ben")
        assert classes.get(transaction, class_id).name == "by ben"


def test_a_change_of_another_day_is_told_with_its_date(store: Store) -> None:
    with store.transaction() as transaction:
        classes.create(transaction, "old")
        transaction.execute(text("UPDATE classes SET changed = '2024-02-29 12:00:00.000000'"))
        with pytest.raises(Conflict, match=r"class 1 was changed at \d\d:\d\d on 2024-0[23]-\d\d, after"):
            change(transaction, 1, Edit(seen=0), family=None)


def test_resolving_follows_chains_for_one_and_for_many(store: Store) -> None:
    with store.transaction() as transaction:
        for _ in range(5):
            classes.create(transaction)
        classes.merge(transaction, 3, into=2)
        classes.merge(transaction, 2, into=1)
        classes.merge(transaction, 5, into=4)
        ids = np.array([-1, 1, 2, 3, 4, 5, 3])
        assert merges.resolve_all(transaction, ids).tolist() == [-1, 1, 1, 1, 4, 4, 1]
        assert ids.tolist() == [-1, 1, 2, 3, 4, 5, 3]
        assert merges.absorbed(transaction, 1) == [1, 2, 3]
        assert merges.absorbed(transaction, 2) == []


def test_merging_needs_two_live_classes(store: Store) -> None:
    with store.transaction() as transaction:
        for _ in range(4):
            classes.create(transaction)
        classes.merge(transaction, 2, into=1)
        classes.set_status(transaction, 3, "rejected")
        with pytest.raises(Conflict, match="class 2: it has been merged into class 1 already"):
            classes.merge(transaction, 4, into=2)
        with pytest.raises(Conflict, match="class 3: it has been rejected"):
            classes.merge(transaction, 4, into=3)
        with pytest.raises(Conflict, match="leads back to it: 4"):
            classes.merge(transaction, 4, into=4)
        with pytest.raises(NotFound, match="there is no class 9"):
            classes.merge(transaction, 4, into=9)
        with pytest.raises(BadInput, match="needs a target"):
            classes.set_status(transaction, 4, "merged")


def test_a_snapshot_restores_a_class_and_its_version_counts_on(store: Store) -> None:
    with store.transaction() as transaction:
        for name in ("a", "b"):
            classes.create(transaction, name)
        before = classes.snapshot(transaction, 2)
        change(transaction, 2, name="c")
        classes.merge(transaction, 2, into=1)
        classes.restore(transaction, 2, before)
        assert classes.snapshot(transaction, 2) == before
        assert classes.details(transaction, 2).version == 4


def test_restoring_refuses_a_merge_into_a_class_that_was_rejected_since(store: Store) -> None:
    with store.transaction() as transaction:
        for name in ("a", "b"):
            classes.create(transaction, name)
        apart = classes.snapshot(transaction, 1)
        classes.merge(transaction, 1, into=2)
        merged = classes.snapshot(transaction, 1)
        classes.restore(transaction, 1, apart)
        classes.set_status(transaction, 2, "rejected")
        with pytest.raises(Conflict, match="class 2: it has been rejected"):
            classes.restore(transaction, 1, merged)
        assert classes.get(transaction, 1).status == "provisional"


def test_restoring_refuses_a_name_that_was_given_away(store: Store) -> None:
    with store.transaction() as transaction:
        classes.create(transaction, "a")
        before = classes.snapshot(transaction, 1)
        change(transaction, 1, name="b")
        classes.create(transaction, "A")
        with pytest.raises(Conflict, match="the name 'a' belongs to class 2"):
            classes.restore(transaction, 1, before)
