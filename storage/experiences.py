"""Experiences: what arrived together, and how far it has been worked on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from owcl.errors import Conflict, NotFound
from storage.columns import now
from storage.schema import ExperienceRow

State = Literal["open", "ingested", "discovered", "updated"]


@dataclass(frozen=True)
class ExperienceStatus:
    """How far the work on an experience has come."""

    index: int
    labelled: bool
    state: State
    created: datetime


def begin(transaction: Connection, index: int, labelled: bool = False) -> None:
    """Open experience `index`; opening it again changes nothing.

    Raises:
        Conflict: if it exists, but with labels where now there are none, or the other way round.
    """
    existing = find(transaction, index)
    if existing is None:
        row = {"index": index, "labelled": labelled, "state": "open", "created": now()}
        transaction.execute(insert(ExperienceRow), [row])
    elif existing.labelled != labelled:
        words = ("unlabelled", "labelled")
        raise Conflict(
            f"experience {index}: it is {words[existing.labelled]}, but {words[labelled]} faces were given. "
            "Give them to another experience."
        )


def find(transaction: Connection, index: int) -> ExperienceStatus | None:
    """Return the status of experience `index`, or none when it has not been opened."""
    return next((status for status in everything(transaction) if status.index == index), None)


def status(transaction: Connection, index: int) -> ExperienceStatus:
    """Return the status of experience `index`.

    Raises:
        NotFound: if it has not been opened.
    """
    found = find(transaction, index)
    if found is None:
        raise NotFound(f"experience {index}: there is none. Ingest faces into it first.")
    return found


def everything(transaction: Connection) -> list[ExperienceStatus]:
    """Return the status of all experiences, oldest first."""
    query = select(ExperienceRow.__table__).order_by(ExperienceRow.index)
    return [ExperienceStatus(*row) for row in transaction.execute(query)]


def latest(transaction: Connection) -> ExperienceStatus | None:
    """Return the status of the newest experience, or none when there is none."""
    return next(reversed(everything(transaction)), None)


def looked_through(transaction: Connection) -> ExperienceStatus | None:
    """Return the status of the newest experience that discovery has looked through, or none."""
    seen = [one for one in everything(transaction) if one.state in ("discovered", "updated")]
    return next((one for one in reversed(seen) if not one.labelled), None)


def set_state(transaction: Connection, index: int, state: State) -> None:
    """Note how far the work on experience `index` has come.

    Raises:
        NotFound: if it has not been opened.
    """
    status(transaction, index)
    transaction.execute(update(ExperienceRow).where(ExperienceRow.index == index).values(state=state))
