"""That the migrations make the schema, and keep what older databases hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

import storage.store
from owcl.errors import BadInput
from storage import faces, metrics
from storage.schema import VERSION, Table
from storage.store import Store


def test_the_migrations_make_exactly_the_tables_of_the_schema(store: Store) -> None:
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


def test_the_checks_of_the_migrations_are_those_of_the_schema(store: Store) -> None:
    """Alembic compares no CHECK constraints, so their words are looked for in the tables as made."""
    with store.reading() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master"))
        made = {name: sql for name, sql in rows}
    wanted = [
        (table.name, str(check.sqltext))
        for table in Table.metadata.sorted_tables
        for check in table.constraints
        if hasattr(check, "sqltext")
    ]
    assert len(wanted) > 15
    assert [(table, words) for table, words in wanted if f"CHECK ({words})" not in made[table]] == []
    by_hand = {
        table.name for table in Table.metadata.sorted_tables if table.kwargs.get("sqlite_autoincrement")
    }
    assert {name for name, sql in made.items() if sql and "AUTOINCREMENT" in sql} == by_hand


def test_the_version_is_that_of_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(storage.store.__file__).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_current_head() == VERSION


def test_a_migration_that_breaks_off_leaves_an_empty_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "owcl.db"

    def break_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", break_off)
        with pytest.raises(KeyboardInterrupt):
            Store.open(path)
    plain = sqlite3.connect(path)
    assert plain.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    plain.close()
    Store.open(path).close()


def database_of(version: str, path: Path, statements: Iterable[str]) -> None:
    """Make a database as an earlier version of the schema had it."""
    config = Config()
    config.set_main_option("script_location", str(Path(storage.store.__file__).with_name("migrations")))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_a_database_of_the_first_version_keeps_what_is_in_it(tmp_path: Path) -> None:
    statements = (
        "INSERT INTO experiences VALUES (0, 1, 'ingested', '2026-01-01')",
        "INSERT INTO runs (verb, configuration, state, progress, result, started)"
        " VALUES ('evaluate', '{}', 'done', '{}', '{}', '2026-01-01')",
        "INSERT INTO metrics VALUES (7, 0, 'acc_known', 0.9, 'real', 'test', NULL, 1, '2026-01-01')",
    )
    database_of("0001", tmp_path / "owcl.db", statements)
    with Store.open(tmp_path / "owcl.db") as store, store.reading() as transaction:
        place = metrics.Measured(0, method="real")
        assert metrics.read(transaction) == [metrics.Metric("acc_known", 0.9, place)]
        assert compare_metadata(MigrationContext.configure(transaction), Table.metadata) == []


def test_faces_that_were_held_out_by_their_content_stay_held_out(tmp_path: Path) -> None:
    statements = [
        "INSERT INTO experiences VALUES (0, 1, 'updated', '2026-01-01')",
        "INSERT INTO model_versions (weights, configuration, class_ids, state, gate, created)"
        """ VALUES ('w', '{"memory": {"calibration_share": 0.5}}', '[]', 'accepted', '{}', '2026')""",
        *(
            "INSERT INTO faces (sha256, source, width, height, experience, created)"
            f" VALUES ('{sha256}', '{sha256}', 1, 1, 0, '2026-01-01')"
            for sha256 in ("1" * 64, "7fffffff" + "f" * 56, "8" + "0" * 63)
        ),
    ]
    database_of("0005", tmp_path / "owcl.db", statements)
    with Store.open(tmp_path / "owcl.db") as store, store.reading() as transaction:
        assert faces.are_held_out(transaction, np.array([1, 2, 3])).tolist() == [True, True, False]


def test_a_newer_database_is_refused_with_its_version(tmp_path: Path) -> None:
    with Store.open(tmp_path / "owcl.db") as store, store.transaction() as transaction:
        transaction.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadInput, match=r"its version is 9999, but this owcl knows versions up to \d+ only"):
        Store.open(tmp_path / "owcl.db")
