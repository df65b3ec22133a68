"""The store: opens a workspace's database, brings it up to date, and gives out transactions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DatabaseError, OperationalError

from owcl.errors import BadInput, Conflict
from storage.schema import VERSION

_PATIENCE_SECONDS = 30
_UNWRITABLE = ("readonly", "disk is full", "disk I/O")
"""What SQLite says where the file, and no statement of ours, is the cause."""
_DAMAGED = "malformed"
_MIGRATIONS = Path(__file__).with_name("migrations")

# Write-ahead logging lets a page read while a step writes. With it, synchronous=NORMAL keeps every finished
# transaction through kill -9, since the system then holds its pages. A power cut may cost the last seconds,
# never the integrity: running again continues. FULL would spare these seconds for an fsync a transaction,
# which took 4 ms of the 8 ms that a batch of 64 faces then needs.
_PRAGMAS = (
    f"PRAGMA busy_timeout={_PATIENCE_SECONDS * 1000}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    # Otherwise INSERT OR REPLACE would slip past the triggers that guard the log.
    "PRAGMA recursive_triggers=ON",
)


class Store:
    """The database of one workspace, up to date and ready.

    Example:
        >>> import tempfile
        >>> from storage import classes
        >>> with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "owcl.db") as store:
        ...     with store.transaction() as transaction:
        ...         real = classes.create(transaction, "real", status="known")
        ...     with store.reading() as transaction:
        ...         classes.get(transaction, real).name
        'real'
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.name = Path(engine.url.database or "").name or str(engine.url)

    @classmethod
    def open(cls, location: Path | str) -> Self:
        """Open the database at a path or a SQLAlchemy URL; make or migrate it where needed.

        Raises:
            BadInput: if there is no folder for it, it is no database, or a newer owcl has written it.
        """
        url = _url(location)
        engine = create_engine(url, json_serializer=_to_json)
        if url.get_backend_name() == "sqlite":
            event.listen(engine, "connect", _prepare)
            event.listen(engine, "begin", _begin)
        store = cls(engine)
        try:
            store._bring_up_to_date()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Let go of the database's files."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a transaction that alone may write: all of it is kept at the end, or none on an error.

        Raises:
            BadInput: if the file cannot be written, or is damaged.
            Conflict: if somebody else has been writing for longer than half a minute.
        """
        with self.engine.connect() as connection:
            try:
                with self._begun(connection):
                    yield connection
            except OperationalError as error:
                if any(word in str(error.orig) for word in _UNWRITABLE):
                    raise _explained(self.name, error) from error
                raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a view of the database as it is now, which later writers do not change; it refuses writes.

        Raises:
            BadInput: if the file is damaged.
        """
        with self.engine.connect() as plain:
            connection = plain.execution_options(owcl_reads_only=True)
            with self._begun(connection):
                yield connection

    def copy_to(self, path: Path) -> None:
        """Write the SQLite database as it is now to a file, over what is there, also while others read it."""
        with closing(self.engine.raw_connection()) as source, closing(sqlite3.connect(path)) as copy:
            driver: Any = source.driver_connection
            driver.backup(copy)

    def check_integrity(self) -> list[str]:
        """Return what is wrong with the database file or its references; nothing when all is well."""
        if self.engine.dialect.name != "sqlite":
            return []
        try:
            with self.reading() as connection:
                file = connection.execute(text("PRAGMA integrity_check")).scalars().all()
                dangling = connection.execute(text("PRAGMA foreign_key_check")).all()
        except BadInput as damage:  # It may stop the very check that looks for it.
            return [str(damage)]
        except DatabaseError as error:
            return [str(_explained(self.name, error))]
        complaints = [f"{self.name}: {line}" for line in file if line != "ok"]
        return complaints + [f"{self.name}: {row[0]} row {row[1]} refers to no {row[2]}" for row in dangling]

    @contextmanager
    def _begun(self, connection: Connection) -> Iterator[None]:
        try:
            begun = connection.begin()
        except OperationalError as error:
            raise _explained(self.name, error) from error
        try:
            with begun:
                yield
        except DatabaseError as error:
            if _DAMAGED in str(error.orig):
                raise _explained(self.name, error) from error
            raise

    def _bring_up_to_date(self) -> None:
        try:
            with self.reading() as connection:
                found = _version(connection)
        except DatabaseError as error:
            raise _explained(self.name, error) from error
        if found != VERSION:
            with self.transaction() as connection:
                _migrate(connection, self.name)


def _url(location: Path | str) -> URL:
    if isinstance(location, str) and "://" in location:
        return make_url(location)
    path = Path(location)
    if not path.parent.is_dir():
        raise BadInput(f"{path}: there is no folder {path.parent}. Make it, or correct the path.")
    return URL.create("sqlite", database=str(path))


def _prepare(dbapi_connection: Any, _: object) -> None:
    # None keeps Python's sqlite3 from beginning transactions behind our back: `_begin` does it.
    dbapi_connection.isolation_level = None
    for pragma in _PRAGMAS:
        dbapi_connection.execute(pragma)


def _begin(connection: Connection) -> None:
    reads_only = connection.get_execution_options().get("owcl_reads_only", False)
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reads_only else 'OFF'}")
    # A writer asks for the right to write at once: asking in the middle could be refused without a wait.
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
    if reads_only:  # Only the first look fixes what a reader sees.
        connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1")


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(connection: Connection, name: str) -> None:
    found = _version(connection)
    if found == VERSION:  # Another process was quicker.
        return
    if found is None and inspect(connection).get_table_names():
        raise BadInput(f"{name}: this is the database of another program. Choose another path.")
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise BadInput(
            f"{name}: its version is {found}, but this owcl knows versions up to {VERSION} only. "
            "A newer owcl has written it. Install that one."
        )
    command.upgrade(config, "head")


def _explained(name: str, error: DatabaseError) -> Exception:
    cause = str(error.orig)
    if "locked" in cause:
        return Conflict(
            f"{name}: another process has been writing for more than {_PATIENCE_SECONDS} seconds. "
            "Wait for it to end and run this again."
        )
    if _DAMAGED in cause:
        return BadInput(
            f"{name}: the file is damaged ({cause}). Keep it aside and put an earlier copy in its place."
        )
    return BadInput(f"{name}: it cannot be used as a database ({cause}). Check the path and its permissions.")


def _to_json(value: object) -> str:
    # Escapes, since a path that is not Unicode may be among what is kept.
    return json.dumps(value, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"the database: {type(value).__name__} {value!r} cannot be kept as JSON")
