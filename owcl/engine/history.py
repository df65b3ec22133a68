"""What was decided about classes: read, taken back, and done again.

An undo puts the states of classes and the faces that moved back to what they were, as a new decision, so that
it can be undone in its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from owcl.errors import Conflict, NotFound
from owcl.types import Decision
from storage import classes, decisions, memberships
from storage.store import Store

UNDOABLE = ("name", "merge", "split", "reject", "label", "release", "make")
"""The verbs that `undo` takes back."""


@dataclass(frozen=True)
class Changed:
    """A value that a decision changed."""

    class_id: str | None
    """None where the decision is not about a class."""
    what: str
    before: Any
    """None where there was none."""
    after: Any


def undo(store: Store, who: str, decision: int | None = None) -> Decision:
    """Take back a decision in force, the newest of an operator if none is named, and return it.

    Raises:
        NotFound: if there is none.
        Conflict: if something that it changed was changed again since, or it is not in force.
    """
    return _take_back(store, who, "undo", decisions.latest_undoable, decision)


def undo_own(store: Store, who: str) -> Decision:
    """Take back the newest decision in force of one operator, and return it.

    Raises:
        NotFound: if there is none.
        Conflict: if something that it changed was changed again since.
    """
    with store.reading() as transaction:
        own = decisions.latest_undoable(transaction, UNDOABLE, who)
    if own is None:
        raise NotFound(
            f"history: there is nothing of {who} to undo. `owcl classes history` shows what others decided."
        )
    return undo(store, who, own.id)


def redo(store: Store, who: str, decision: int | None = None) -> Decision:
    """Take back an undo, and return the decision in force again.

    Args:
        store: of the workspace.
        who: decides.
        decision: the undo; the newest since anything new was decided if none is named.

    Raises:
        NotFound: if there is none.
        Conflict: if something that it changed was changed again since.
    """
    return _take_back(store, who, "redo", decisions.latest_redoable, decision)


def latest(store: Store, limit: int | None = None) -> list[Decision]:
    """Return all decisions, of operators and of owcl itself, newest first."""
    with store.reading() as transaction:
        return decisions.history(transaction, limit=limit)


def about(transaction: Connection, details: classes.ClassDetails) -> list[Decision]:
    """Return what was decided about a class and those merged into it, newest first."""
    return [one for one in decisions.history(transaction) if _concerns(one, details)]


def changes(decision: Decision) -> Iterator[Changed]:
    """Yield each value that a decision changed."""
    for key, after in decision.after.items():
        before = decision.before.get(key)
        if not isinstance(after, Mapping):
            yield Changed(None, key, before, after)
            continue
        for part, value in after.items():
            earlier = (before or {}).get(part)
            if value != earlier:
                yield Changed(key, part, earlier, value)


def _take_back(
    store: Store,
    who: str,
    verb: str,
    newest: Callable[[Connection, Collection[str]], Decision | None],
    chosen: int | None,
) -> Decision:
    with store.transaction() as transaction:
        target = newest(transaction, UNDOABLE) if chosen is None else decisions.get(transaction, chosen)
        if target is None:
            raise NotFound(
                f"history: there is nothing to {verb}. `owcl classes history` shows what was decided."
            )
        if decisions.open_ends(transaction, UNDOABLE).get(target.id) is not (verb == "redo"):
            raise Conflict(
                f"decision {target.id}: it is nothing to {verb}, or somebody did so already. "
                "`owcl classes history` shows what was decided."
            )
        _refuse_if_changed_since(transaction, target)
        # A class that the decision made is rejected by its undo: its id is never given to another.
        wanted = {
            class_id: target.before.get(class_id) or {**state, "status": "rejected"}
            for class_id, state in target.after.items()
        }
        change = decisions.Change(who, verb, target.subject, target.after, wanted, undoes=target.id)
        decision = decisions.record(transaction, change)
        for class_id, state in wanted.items():
            classes.restore(transaction, int(class_id), state, classes.Edit(decision=decision))
        memberships.revert(transaction, target.id, decision)
        return decisions.original(transaction, target.id)


def _refuse_if_changed_since(transaction: Connection, target: Decision) -> None:
    moved = memberships.moved_by(transaction, target.id)
    for key, state in target.after.items():
        # Decisions from before a class could have a note know nothing of it.
        later = not state.items() <= classes.snapshot(transaction, int(key)).items()
        born_of_it = key not in target.before
        joined = born_of_it and set(memberships.members(transaction, int(key)).tolist()) - set(moved)
        if later or joined:
            raise Conflict(
                f"class {key}: it was changed again after decision {target.id} ({target.verb} by "
                f"{target.who}). `owcl classes show {key}` tells how. Name, merge or reject it as you want "
                "it now."
            )


def _concerns(decision: Decision, details: classes.ClassDetails) -> bool:
    key = str(details.entry.id)
    targets = {state.get("merged_into") for state in decision.after.values() if isinstance(state, Mapping)}
    return (
        decision.subject == f"class {key}"
        or decision.id == details.decision
        or key in decision.after
        or details.entry.id in targets
    )
