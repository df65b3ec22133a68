"""How values that a database does not know are kept in it."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

_NOT_UNICODE = "not-unicode:"


class Moment(TypeDecorator[datetime]):
    """A point in time: given and returned with its zone, kept in UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC, without its zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment with its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


class FilePath(TypeDecorator[str]):
    """The path of a file, also one whose bytes are not Unicode (a database takes no lone surrogates)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the path itself, or its bytes in hexadecimal."""
        if value is None or value.isascii():
            return value
        try:
            value.encode()
        except UnicodeEncodeError:
            return _NOT_UNICODE + os.fsencode(value).hex()
        return value

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the path as the operating system gave it."""
        if value is None or not value.startswith(_NOT_UNICODE):
            return value
        return os.fsdecode(bytes.fromhex(value.removeprefix(_NOT_UNICODE)))


def now() -> datetime:
    """Return this moment, with its zone."""
    return datetime.now(UTC)
