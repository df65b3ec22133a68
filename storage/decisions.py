"""Decisions: the log of who changed what; it only grows, and an undo is a new decision."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from owcl.errors import Conflict, NotFound
from owcl.types import Decision
from storage.columns import now
from storage.rows import insert_one
from storage.schema import DecisionRow


@dataclass(frozen=True)
class Change:
    """What a decision is about to change; `undoes` is the decision it takes back."""

    who: str
    verb: str
    subject: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    undoes: int | None = None


def record(transaction: Connection, change: Change) -> int:
    """Write a decision into the log and return its id.

    Raises:
        NotFound: if it undoes a decision that there is not.
        Conflict: if that decision has been undone already.
    """
    if change.undoes is not None:
        get(transaction, change.undoes)
        undoer = _undoers(transaction).get(change.undoes)
        if undoer is not None:
            by = get(transaction, undoer)
            raise Conflict(
                f"decision {change.undoes}: {by.who} has undone it already, in decision {undoer}. "
                f"To have it back, undo decision {undoer}."
            )
    row = {
        "when": now(),
        "who": change.who,
        "verb": change.verb,
        "subject": change.subject,
        "before": dict(change.before),
        "after": dict(change.after),
        "undoes": change.undoes,
    }
    return insert_one(transaction, DecisionRow, row)


def get(transaction: Connection, decision: int) -> Decision:
    """Return a decision.

    Raises:
        NotFound: if there is none of this id.
    """
    row = transaction.execute(_query().where(DecisionRow.id == decision)).one_or_none()
    if row is None:
        raise NotFound(f"decision {decision}: there is none. The history lists all decisions.")
    return _decision(row)


def history(transaction: Connection, subject: str | None = None, limit: int | None = None) -> list[Decision]:
    """Return decisions, newest first, of everything or of one subject."""
    query = _query().order_by(DecisionRow.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(DecisionRow.subject == subject)
    return [_decision(row) for row in transaction.execute(query)]


def undoes(transaction: Connection, decision: int) -> int | None:
    """Return the decision that this one takes back, or none."""
    query = select(DecisionRow.undoes).where(DecisionRow.id == decision)
    return transaction.execute(query).scalar_one_or_none()


def latest_undoable(
    transaction: Connection, verbs: Collection[str], who: str | None = None
) -> Decision | None:
    """Return the newest decision with one of `verbs` that can be undone: made or made again, and in force.

    `who` made it, or made it again, if somebody is named.
    """
    return _latest(transaction, verbs, takes_back=False, who=who)


def latest_redoable(transaction: Connection, verbs: Collection[str]) -> Decision | None:
    """Return the newest undo in force since anything new was decided; undoing it is a redo.

    `verbs` are those of the decisions that were undone.
    """
    return _latest(transaction, verbs, takes_back=True)


def original(transaction: Connection, decision: int) -> Decision:
    """Return the decision at the start of a chain of undo, redo, undo.

    Raises:
        NotFound: if there is no such decision.
    """
    found = get(transaction, decision)
    while (before := undoes(transaction, found.id)) is not None:
        found = get(transaction, before)
    return found


def last_of_chain(transaction: Connection, decision: int) -> int:
    """Return the decision at the end of a chain of undo, redo, undo: itself where nobody took it back."""
    undoers = _undoers(transaction)
    while decision in undoers:
        decision = undoers[decision]
    return decision


def open_ends(transaction: Connection, verbs: Collection[str]) -> dict[int, bool]:
    """Return the decisions that nobody has taken back, oldest first, and whether each takes one back itself.

    `verbs` are those of the decisions at the starts of their chains of undo, redo, undo.
    """
    query = select(DecisionRow.id, DecisionRow.verb, DecisionRow.undoes).order_by(DecisionRow.id)
    verb_of: dict[int, str] = {}
    is_undo: dict[int, bool] = {}
    undone: set[int] = set()
    for id_, verb, target in transaction.execute(query):
        # A redo undoes an undo, so along a chain every second decision takes back.
        is_undo[id_] = target is not None and not is_undo[target]
        verb_of[id_] = verb if target is None else verb_of[target]
        if target is not None:
            undone.add(target)
    return {
        id_: takes_back for id_, takes_back in is_undo.items() if id_ not in undone and verb_of[id_] in verbs
    }


def _latest(
    transaction: Connection, verbs: Collection[str], takes_back: bool, who: str | None = None
) -> Decision | None:
    oldest = 0
    if takes_back:
        made = select(func.max(DecisionRow.id)).where(
            DecisionRow.undoes.is_(None), DecisionRow.verb.in_(verbs)
        )
        oldest = transaction.execute(made).scalar() or 0
    ends = open_ends(transaction, verbs)
    found = {id_ for id_, undo in ends.items() if undo == takes_back and id_ > oldest}
    if who is not None:
        found &= set(transaction.execute(select(DecisionRow.id).where(DecisionRow.who == who)).scalars())
    return get(transaction, max(found)) if found else None


def _undoers(transaction: Connection) -> dict[int, int]:
    query = select(DecisionRow.undoes, DecisionRow.id).where(DecisionRow.undoes.is_not(None))
    return {target: id_ for target, id_ in transaction.execute(query) if target is not None}


def _query() -> Select[*tuple[Any, ...]]:
    return select(
        DecisionRow.id,
        DecisionRow.when,
        DecisionRow.who,
        DecisionRow.verb,
        DecisionRow.subject,
        DecisionRow.before,
        DecisionRow.after,
    )


def _decision(row: Row[*tuple[Any, ...]]) -> Decision:
    return Decision(*row)
