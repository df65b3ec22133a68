"""What operators say about classes: name, merge, split, reject, label, release, make.

Each is one transaction and one decision. A decision keeps the state before and after of every class that it
changes, by class id; which faces it moved is kept by the memberships. `history` takes it back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from owcl.engine.candidates import grounds
from owcl.errors import BadInput, Conflict, NotFound
from owcl.types import LIVE, ClassStatus, MethodClass
from storage import classes, clusters, decisions, experiences, faces, memberships
from storage.names import checked_name
from storage.store import Store

LONGEST_NOTE = 4000
"""Characters."""


def name(
    store: Store,
    id_or_name: str,
    new_name: str,
    who: str,
    family: str | None = None,
    note: str | None = None,
    seen: int | None = None,
) -> MethodClass:
    """Name a class; a provisional one becomes named.

    Args:
        store: of the workspace.
        id_or_name: of the class.
        new_name: any printable text.
        who: decides.
        family: of methods; without one it keeps the one it has, and an empty one takes it away.
        note: to remember; likewise.
        seen: the version that the operator saw, here and in the other verbs; none for "whatever it is now".

    Raises:
        BadInput: if the name or family cannot be one, or the note is too long.
        NotFound: if there is no such class.
        Conflict: if the class is not live, another live class has that name, or it was changed since it was
            seen.
    """
    with store.transaction() as transaction:
        entry = _live(transaction, id_or_name)
        wanted: dict[str, str | None] = {
            "name": checked_name(new_name, entry.id),
            "status": "named" if entry.status == "provisional" else entry.status,
        }
        before = classes.snapshot(transaction, entry.id)
        if family is not None:
            wanted["family"] = checked_name(family, entry.id) if family.strip() else None
        if note is not None:
            wanted["note"] = _checked_note(note, entry.id)
        decision = _record(
            transaction, who, "name", entry.id, {entry.id: before}, {entry.id: before | wanted}
        )
        classes.restore(transaction, entry.id, before | wanted, classes.Edit(seen, decision))
        return classes.get(transaction, entry.id)


def merge(store: Store, source: str, into: str, who: str, seen: int | None = None) -> MethodClass:
    """Let a class stand for another one from now on, and return it; the other id becomes a tombstone.

    Raises:
        NotFound: if there is no such class.
        Conflict: if one of them is not live, both are the same, a labelled class would stand for a discovered
            one, or the first was changed since it was seen.
    """
    with store.transaction() as transaction:
        merged, target = _live(transaction, source), _live(transaction, into)
        if merged.id == target.id:
            raise Conflict(f"class {merged.id}: it cannot be merged into itself. Name two classes.")
        if merged.status == "known" and target.status != "known":
            raise Conflict(
                f"class {merged.id}: {merged.name!r} is a labelled method, and would go by the name of a "
                f"discovered class. Merge the other way round: class {target.id} into class {merged.id}."
            )
        before = classes.snapshot(transaction, merged.id)
        after = before | {"status": "merged", "merged_into": target.id}
        decision = _record(transaction, who, "merge", merged.id, {merged.id: before}, {merged.id: after})
        classes.merge(transaction, merged.id, target.id, classes.Edit(seen, decision))
        return target


def split(
    store: Store,
    id_or_name: str,
    face_ids: Collection[int],
    who: str,
    new_name: str | None = None,
    seen: int | None = None,
) -> MethodClass:
    """Make a class of some faces of another one, and return it.

    Raises:
        BadInput: if no face is given, one is not of the class, none would be left, or the name cannot be one.
        NotFound: if there is no such class.
        Conflict: if the class is not live, another live class has the name, or it was changed since it was
            seen.
    """
    with store.transaction() as transaction:
        entry = _live(transaction, id_or_name)
        _check_part(entry, memberships.members(transaction, entry.id), face_ids)
        status: ClassStatus = "provisional" if new_name is None else "named"
        birth = classes.Birth(classes.details(transaction, entry.id).born)
        new = classes.create(transaction, new_name, status, entry.family, birth)
        kept = classes.snapshot(transaction, entry.id)
        made = classes.snapshot(transaction, new)
        decision = _record(transaction, who, "split", entry.id, {entry.id: kept}, {entry.id: kept, new: made})
        classes.restore(transaction, entry.id, kept, classes.Edit(seen, decision))
        evidence = {"split_from": entry.id, "size": len(set(face_ids))}
        classes.set_evidence(transaction, new, evidence, classes.Edit(decision=decision))
        memberships.assign(transaction, face_ids, new, memberships.Grounds("operator", decision=decision))
        return classes.get(transaction, new)


def label(store: Store, id_or_name: str, face_ids: Collection[int], who: str) -> MethodClass:
    """Say that faces are of a class, whatever was thought of them before, and return it.

    Raises:
        BadInput: if no face is given.
        NotFound: if there is no such class or face.
        Conflict: if the class is not live.
    """
    with store.transaction() as transaction:
        entry = _live(transaction, id_or_name)
        if not face_ids:
            raise BadInput(f"class {entry.id}: no face is given. Name at least one by its id.")
        faces.by_ids(transaction, np.array(sorted(set(face_ids)), np.int64))
        state = {entry.id: classes.snapshot(transaction, entry.id)}
        decision = _record(transaction, who, "label", entry.id, state, state)
        classes.restore(transaction, entry.id, state[entry.id], classes.Edit(decision=decision))
        memberships.assign(
            transaction, face_ids, entry.id, memberships.Grounds("operator", decision=decision)
        )
        return classes.get(transaction, entry.id)


def release(
    store: Store, id_or_name: str, face_ids: Collection[int], who: str, seen: int | None = None
) -> MethodClass:
    """Say that faces are not of a class, without saying of which one they are; return the class.

    Raises:
        BadInput: if no face is given, or one is not of the class.
        NotFound: if there is no such class.
        Conflict: if the class is not live, or it was changed since it was seen.
    """
    with store.transaction() as transaction:
        entry = _live(transaction, id_or_name)
        _refuse_strangers(entry, memberships.members(transaction, entry.id), face_ids)
        state = {entry.id: classes.snapshot(transaction, entry.id)}
        decision = _record(transaction, who, "release", entry.id, state, state)
        classes.restore(transaction, entry.id, state[entry.id], classes.Edit(seen, decision))
        memberships.end(transaction, sorted(set(face_ids)), decision)
        return classes.get(transaction, entry.id)


def make(
    store: Store,
    face_ids: Collection[int],
    who: str,
    new_name: str | None = None,
    rejected: bool = False,
) -> MethodClass:
    """Make a class of faces, wherever they belonged before, and return it.

    Args:
        store: of the workspace.
        face_ids: of its members.
        who: decides.
        new_name: makes it a named class; without one it is provisional.
        rejected: the faces are no class, and are not to be proposed again.

    Raises:
        BadInput: if no face is given, or the name cannot be one.
        NotFound: if there is no such face.
        Conflict: if another live class has the name.
    """
    if not face_ids:
        raise BadInput("classes: a class needs faces. Choose at least one.")
    with store.transaction() as transaction:
        faces.by_ids(transaction, sorted(set(face_ids)))
        new, decision = _made(transaction, who, new_name, {"size": len(set(face_ids))}, rejected)
        memberships.assign(transaction, face_ids, new, memberships.Grounds("operator", decision=decision))
        return classes.get(transaction, new)


def adopt(store: Store, cluster_id: int, who: str, new_name: str | None = None) -> MethodClass:
    """Make a class of a cluster that waits to be surer of, and return it; undone, the cluster waits again.

    Raises:
        BadInput: if the name cannot be one.
        NotFound: if no such cluster waits.
        Conflict: if another live class has the name.
    """
    with store.transaction() as transaction:
        found = next((one for one in clusters.waiting(transaction) if one.id == cluster_id), None)
        if found is None:
            raise NotFound(
                f"cluster {cluster_id}: no such cluster waits. `owcl classes proposals` lists those that do."
            )
        face_ids = found.cluster.member_ids
        evidence = {**found.sighting.evidence, "size": len(face_ids), "cluster": cluster_id}
        new, decision = _made(transaction, who, new_name, evidence)
        memberships.assign(transaction, face_ids, new, grounds(found.cluster, decision))
        return classes.get(transaction, new)


def _made(
    transaction: Connection, who: str, name: str | None, evidence: Mapping[str, Any], rejected: bool = False
) -> tuple[int, int]:
    """Enter a class that a person sees, and return its id and that of the decision."""
    status: ClassStatus = "provisional" if name is None else "named"
    latest = experiences.latest(transaction)
    birth = classes.Birth(None if latest is None else latest.index)
    new = classes.create(transaction, name, "rejected" if rejected else status, birth=birth)
    decision = _record(transaction, who, "make", new, {}, {new: classes.snapshot(transaction, new)})
    classes.set_evidence(transaction, new, {"made_by": who, **evidence}, classes.Edit(decision=decision))
    return new, decision


def reject(store: Store, id_or_name: str, who: str, seen: int | None = None) -> MethodClass:
    """Say that a class is none; its faces stay with the tombstone, so that they are not proposed again.

    Raises:
        NotFound: if there is no such class.
        Conflict: if the class is not live, or it was changed since it was seen.
    """
    with store.transaction() as transaction:
        entry = _live(transaction, id_or_name)
        before = classes.snapshot(transaction, entry.id)
        after = before | {"status": "rejected"}
        decision = _record(transaction, who, "reject", entry.id, {entry.id: before}, {entry.id: after})
        classes.set_status(transaction, entry.id, "rejected", classes.Edit(seen, decision))
        return classes.get(transaction, entry.id)


def _live(transaction: Connection, id_or_name: str) -> MethodClass:
    entry = classes.find(transaction, id_or_name)
    if entry.status not in LIVE:
        where = f" into class {entry.merged_into}" if entry.merged_into is not None else ""
        raise Conflict(
            f"class {entry.id}: it was {entry.status}{where}. A live class is expected. "
            "`owcl classes list` shows those; `owcl classes undo` takes back the last decision."
        )
    return entry


def _checked_note(note: str, class_id: int) -> str | None:
    lines = "\n".join(line.rstrip() for line in note.strip().splitlines())
    if len(lines) > LONGEST_NOTE:
        raise BadInput(
            f"class {class_id}: a note of {len(lines)} characters. At most {LONGEST_NOTE} are expected."
        )
    if not all(letter.isprintable() or letter in "\n\u200c\u200d" for letter in lines):
        raise BadInput(f"class {class_id}: the note holds control characters. Leave them out.")
    return lines or None


def _refuse_strangers(entry: MethodClass, members: NDArray[np.int64], face_ids: Collection[int]) -> None:
    if not face_ids:
        raise BadInput(f"class {entry.id}: no face is given. Name at least one by its id.")
    strangers = sorted(set(face_ids) - set(members.tolist()))
    if strangers:
        raise BadInput(
            f"class {entry.id}: face {strangers[0]} is not a member of it. `owcl export csv` lists faces "
            "with their ids and classes. Leave it out."
        )


def _check_part(entry: MethodClass, members: NDArray[np.int64], face_ids: Collection[int]) -> None:
    _refuse_strangers(entry, members, face_ids)
    if not 0 < len(set(face_ids)) < len(members):
        raise BadInput(
            f"class {entry.id}: {len(set(face_ids))} of its {len(members)} faces were to be split off. "
            "At least one, and not all of them, is expected."
        )


def _record(
    transaction: Connection,
    who: str,
    verb: str,
    class_id: int,
    before: Mapping[int, Mapping[str, Any]],
    after: Mapping[int, Mapping[str, Any]],
) -> int:
    return decisions.record(
        transaction, decisions.Change(who, verb, f"class {class_id}", _keyed(before), _keyed(after))
    )


def _keyed(states: Mapping[int, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """JSON knows only words as keys."""
    return {str(class_id): state for class_id, state in states.items()}
