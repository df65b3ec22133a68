"""Classes: the registry of forgery methods, in which an id lasts for ever and a name may change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select, update

from owcl.errors import BadInput, Conflict, NotFound
from owcl.types import LIVE, ClassStatus, MethodClass
from storage import decisions, merges
from storage.columns import now
from storage.names import checked_name, default_name, key_of
from storage.rows import insert_one
from storage.schema import ClassRow

_PAST = {
    "name": "renamed",
    "merge": "merged",
    "split": "split",
    "reject": "rejected",
    "release": "thinned out",
}


@dataclass(frozen=True)
class Edit:
    """On which version of a class a change was decided, and the decision that records it.

    `seen` is the version that the operator saw; none for steps that read and write in one transaction.
    """

    seen: int | None = None
    decision: int | None = None


@dataclass(frozen=True)
class Birth:
    """Where a class comes from: the experience in which it was found, and the evidence."""

    experience: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClassDetails:
    """A class with what its page shows; `version` counts its changes and comes back in `Edit.seen`."""

    entry: MethodClass
    note: str | None
    version: int
    born: int | None
    evidence: Mapping[str, Any]
    decision: int | None
    created: datetime
    changed: datetime


_NO_EDIT = Edit()
_NO_BIRTH = Birth()


def create(
    transaction: Connection,
    name: str | None = None,
    status: ClassStatus = "provisional",
    family: str | None = None,
    birth: Birth = _NO_BIRTH,
) -> int:
    """Enter a class and return its id, which no other class ever had; without a name it is `new-<id>`.

    Raises:
        BadInput: if the name cannot be one.
        Conflict: if a live class has that name.
    """
    if name is not None:
        name = checked_name(name)
        _refuse_taken(transaction, name)
    moment = now()
    row = {
        "name": name or "",
        "key": key_of(name or ""),
        "family": family,
        "status": status,
        "born": birth.experience,
        "evidence": dict(birth.evidence),
        "version": 1,
        "created": moment,
        "changed": moment,
    }
    class_id = insert_one(transaction, ClassRow, row)
    if name is None:
        named = {"name": default_name(class_id), "key": key_of(default_name(class_id))}
        transaction.execute(update(ClassRow).where(ClassRow.id == class_id).values(named))
    return class_id


def set_status(transaction: Connection, class_id: int, status: ClassStatus, edit: Edit = _NO_EDIT) -> None:
    """Change the status of a class to anything but merged, which is `merge`.

    A merged class that gets another status stands for itself again.

    Raises:
        BadInput: if the status is merged.
        NotFound: if there is no such class.
        Conflict: if it becomes live and a live class has its name, or it was changed since it was seen.
    """
    if status == "merged":
        raise BadInput(f"class {class_id}: a merged class needs a target. Merge it into another class.")
    entry = get(transaction, class_id)
    if status in LIVE:
        _refuse_taken(transaction, entry.name, class_id)
    _change(transaction, class_id, {"status": status, "merged_into": None}, edit)


def set_evidence(
    transaction: Connection, class_id: int, evidence: Mapping[str, Any], edit: Edit = _NO_EDIT
) -> None:
    """Replace what speaks for a class.

    Raises:
        NotFound: if there is no such class.
        Conflict: if the class was changed since it was seen.
    """
    _change(transaction, class_id, {"evidence": dict(evidence)}, edit)


def merge(transaction: Connection, class_id: int, into: int, edit: Edit = _NO_EDIT) -> None:
    """Make a class a tombstone that points to another one.

    Nothing else is written: members and attributions keep the id they have and are read through
    `resolve`, so undoing the merge gives back exactly what was there.

    Raises:
        NotFound: if there is no such class.
        Conflict: if one of them is not live, the chain would close to a ring, or the class was changed
            since it was seen.
    """
    source, target = get(transaction, class_id), get(transaction, into)
    merges.refuse_ring(transaction, class_id, into)
    _refuse_tombstone(transaction, source)
    _refuse_tombstone(transaction, target)
    _change(transaction, class_id, {"status": "merged", "merged_into": into}, edit)


def snapshot(transaction: Connection, class_id: int) -> dict[str, Any]:
    """Return what can change of a class, for the before and after of a decision; `restore` takes it.

    Raises:
        NotFound: if there is no such class.
    """
    found = details(transaction, class_id)
    entry = found.entry
    return {
        "name": entry.name,
        "family": entry.family,
        "note": found.note,
        "status": entry.status,
        "merged_into": entry.merged_into,
    }


def restore(transaction: Connection, class_id: int, state: Mapping[str, Any], edit: Edit = _NO_EDIT) -> None:
    """Put a class back into a state that `snapshot` took; its version counts on.

    Raises:
        NotFound: if there is no such class.
        Conflict: if its name now belongs to another live class, the class it pointed to now points back or
            lives no longer, or it was changed since it was seen.
    """
    if state["status"] in LIVE:
        _refuse_taken(transaction, state["name"], class_id)
    if state["merged_into"] is not None:
        merges.refuse_ring(transaction, class_id, state["merged_into"])
        target = get(transaction, resolve(transaction, state["merged_into"]))
        _refuse_tombstone(transaction, target)
    values = {name: state.get(name) for name in ("name", "family", "note", "status", "merged_into")}
    _change(transaction, class_id, values | {"key": key_of(state["name"])}, edit)


def get(transaction: Connection, class_id: int) -> MethodClass:
    """Return a class, tombstones included.

    Raises:
        NotFound: if there is no such class.
    """
    row = transaction.execute(_query().where(ClassRow.id == class_id)).one_or_none()
    if row is None:
        raise _absent(class_id)
    return MethodClass(*row)


def details(transaction: Connection, class_id: int) -> ClassDetails:
    """Return a class with its version, birth and evidence.

    Raises:
        NotFound: if there is no such class.
    """
    entry = get(transaction, class_id)
    columns = (
        ClassRow.note,
        ClassRow.version,
        ClassRow.born,
        ClassRow.evidence,
        ClassRow.decision,
        ClassRow.created,
        ClassRow.changed,
    )
    row = transaction.execute(select(*columns).where(ClassRow.id == class_id)).one()
    return ClassDetails(entry, *row)


def everything(transaction: Connection) -> list[MethodClass]:
    """Return all classes, tombstones included, by id."""
    return [MethodClass(*row) for row in transaction.execute(_query())]


def live(transaction: Connection) -> list[MethodClass]:
    """Return the classes that may be predicted, by id."""
    return [MethodClass(*row) for row in transaction.execute(_query().where(ClassRow.status.in_(LIVE)))]


def find(transaction: Connection, id_or_name: str) -> MethodClass:
    """Return the class that a person means: by id, or a live class by its name without regard to case.

    Digits are an id where there is a class of that id, and a name otherwise.

    Raises:
        NotFound: if there is no such class.
    """
    if id_or_name.isascii() and id_or_name.isdigit() and len(id_or_name) < 19:
        row = transaction.execute(_query().where(ClassRow.id == int(id_or_name))).one_or_none()
        if row is not None:
            return MethodClass(*row)
    named = _query().where(ClassRow.key == key_of(id_or_name), ClassRow.status.in_(LIVE))
    row = transaction.execute(named).one_or_none()
    if row is None:
        _refuse_gone(transaction, id_or_name)
        names = ", ".join(repr(entry.name) for entry in live(transaction)[:20]) or "none yet"
        raise NotFound(
            f"classes: there is no class {id_or_name!r}. Classes: {names}. Give an id or one of the names."
        )
    return MethodClass(*row)


def _refuse_gone(transaction: Connection, name: str) -> None:
    """Say what became of a class that has this name and is live no longer."""
    gone = transaction.execute(
        _query().where(ClassRow.key == key_of(name)).order_by(ClassRow.id.desc())
    ).first()
    if gone is not None:
        entry = MethodClass(*gone)
        into = f" into class {resolve(transaction, entry.id)}" if entry.status == "merged" else ""
        raise NotFound(
            f"classes: {name!r} is class {entry.id}, which was {entry.status}{into}. A live class is "
            "expected. Use another, or take that back; `owcl classes history` shows the decision."
        )


def resolve(transaction: Connection, class_id: int) -> int:
    """Return the class that a class stands for now: where the chain of its merges ends.

    Raises:
        NotFound: if there is no such class.
    """
    get(transaction, class_id)
    return merges.chain(merges.targets(transaction), class_id)[-1]


def _change(transaction: Connection, class_id: int, values: Mapping[str, Any], edit: Edit) -> None:
    present = details(transaction, class_id)
    if edit.seen is not None and edit.seen != present.version:
        raise _changed_meanwhile(transaction, present)
    row = {**values, "version": present.version + 1, "decision": edit.decision, "changed": now()}
    transaction.execute(update(ClassRow).where(ClassRow.id == class_id).values(row))


def _changed_meanwhile(transaction: Connection, present: ClassDetails) -> Conflict:
    what = f"class {present.entry.id} was changed"
    if present.decision is not None:
        by = decisions.get(transaction, present.decision)
        what = f"class {present.entry.id} was {_PAST.get(by.verb, 'changed')} by {by.who}"
    at = present.changed.astimezone()
    today = at.date() == now().astimezone().date()
    clock = f"{at:%H:%M}" if today else f"{at:%H:%M on %Y-%m-%d}"
    return Conflict(f"{what} at {clock}, after this page was loaded. Reload and decide again.")


def _refuse_taken(transaction: Connection, name: str, class_id: int | None = None) -> None:
    same = _query().where(ClassRow.key == key_of(name), ClassRow.status.in_(LIVE), ClassRow.id != class_id)
    row = transaction.execute(same).one_or_none()
    if row is not None:
        raise Conflict(
            f"classes: the name {name!r} belongs to class {row.id} ({row.name!r}, {row.status}). Live "
            "classes differ in their names, without regard to case. Choose another name, or merge into "
            f"class {row.id}."
        )


def _refuse_tombstone(transaction: Connection, entry: MethodClass) -> None:
    if entry.status == "merged":
        raise Conflict(
            f"class {entry.id}: it has been merged into class {entry.merged_into} already. "
            f"Use the class it stands for, {resolve(transaction, entry.id)}, or undo that merge."
        )
    if entry.status == "rejected":
        raise Conflict(f"class {entry.id}: it has been rejected. Undo that before merging.")


def _absent(class_id: int) -> NotFound:
    return NotFound(f"classes: there is no class {class_id}. `owcl classes list` shows those there are.")


def _query() -> Select[*tuple[Any, ...]]:
    return select(
        ClassRow.id, ClassRow.name, ClassRow.family, ClassRow.status, ClassRow.merged_into
    ).order_by(ClassRow.id)
