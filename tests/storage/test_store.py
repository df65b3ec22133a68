from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, text
from sqlalchemy.exc import DatabaseError, IntegrityError

import storage.store
from owcl.errors import BadInput, Conflict
from storage import classes, experiences, faces
from storage.schema import ClassRow, FaceRow
from storage.store import Store


def some_faces(numbers: range) -> list[faces.NewFace]:
    return [faces.NewFace(f"{number:064x}", f"{number}.png", (64, 48), 0) for number in numbers]


def test_a_copy_holds_what_there_is_and_goes_its_own_way(tmp_path: Path) -> None:
    with Store.open(tmp_path / "owcl.db") as store:
        with store.transaction() as transaction:
            real = classes.create(transaction, "real", status="known")
        with store.reading():
            store.copy_to(tmp_path / "copy.db")
        with store.transaction() as transaction:
            classes.create(transaction, "later", status="known")
    with Store.open(tmp_path / "copy.db") as copy:
        assert copy.check_integrity() == []
        with copy.reading() as transaction:
            assert [entry.id for entry in classes.everything(transaction)] == [real]


INSERT_UNTIL_KILLED = """
import sys
from storage import faces
from storage.store import Store

with Store.open(sys.argv[1]) as store:
    for start in range(0, 1_000_000, 10):
        rows = [faces.NewFace(f"{n:064x}", f"{n}.png", (64, 48), 0) for n in range(start, start + 10)]
        with store.transaction() as transaction:
            faces.add_many(transaction, rows[:5])
            faces.add_many(transaction, rows[5:])
"""
OPEN_ONCE = "import sys; from storage.store import Store; Store.open(sys.argv[1]).close()"


def start_python(program: str, path: Path) -> subprocess.Popen[bytes]:
    root = Path(storage.store.__file__).parents[1]
    return subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=root)


def test_write_ahead_logging_and_foreign_keys_are_on(store: Store) -> None:
    with store.transaction() as transaction:
        values = [
            transaction.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "foreign_keys")
        ]
    assert values == ["wal", 1]


def test_an_exception_inside_a_transaction_leaves_nothing(store: Store) -> None:
    def break_off() -> None:
        with store.transaction() as transaction:
            experiences.begin(transaction, 0)
            faces.add_many(transaction, some_faces(range(3)))
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        break_off()
    with store.reading() as transaction:
        assert (faces.count(transaction), experiences.everything(transaction)) == (0, [])


def test_a_killed_writer_leaves_whole_transactions_only(tmp_path: Path) -> None:
    path = tmp_path / "owcl.db"
    with Store.open(path) as store, store.transaction() as transaction:
        experiences.begin(transaction, 0)
    for _ in range(3):
        writer = start_python(INSERT_UNTIL_KILLED, path)
        with Store.open(path) as store:
            before = count_faces(store)
            until = time.monotonic() + 30
            while count_faces(store) == before and time.monotonic() < until:
                time.sleep(0.01)
            writer.kill()
            writer.wait()
            after = count_faces(store)
            assert after > before
            assert after % 10 == 0
            assert store.check_integrity() == []
            with store.transaction() as transaction:
                transaction.execute(delete(FaceRow))


def count_faces(store: Store) -> int:
    with store.reading() as transaction:
        return faces.count(transaction)


def test_two_writers_wait_for_one_another_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "owcl.db"
    with Store.open(path) as store:
        with store.transaction() as transaction:
            classes.create(transaction, "counted", birth=classes.Birth(evidence={"reached": 0}))

        def count_up() -> None:
            with Store.open(path) as own:
                for _ in range(25):
                    with own.transaction() as transaction:
                        reached = classes.details(transaction, 1).evidence["reached"]
                        classes.set_evidence(transaction, 1, {"reached": reached + 1})

        writers = [threading.Thread(target=count_up) for _ in range(2)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        with store.reading() as transaction:
            assert classes.details(transaction, 1).evidence == {"reached": 50}


def test_a_writer_that_waits_too_long_is_told_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage.store, "_PRAGMAS", ("PRAGMA busy_timeout=10",))
    with (
        Store.open(Path(store.engine.url.database or "")) as second,
        store.transaction(),
        pytest.raises(Conflict, match="another process has been writing"),
        second.transaction(),
    ):
        pass


def test_a_reader_sees_one_state_while_a_writer_goes_on(store: Store) -> None:
    with store.reading() as reader:
        assert classes.everything(reader) == []
        with store.transaction() as writer:
            classes.create(writer, "later")
        assert classes.everything(reader) == []
    with store.reading() as reader:
        assert [entry.name for entry in classes.everything(reader)] == ["later"]


def test_a_reader_sees_the_state_of_its_beginning_also_when_it_looks_late(store: Store) -> None:
    with store.reading() as reader:
        with store.transaction() as writer:
            classes.create(writer, "later")
        assert classes.everything(reader) == []


def test_reading_refuses_to_write_and_the_connection_can_write_afterwards(store: Store) -> None:
    with pytest.raises(DatabaseError, match="readonly"), store.reading() as transaction:
        classes.create(transaction, "written while reading")
    with store.transaction() as transaction:
        assert classes.create(transaction, "written") == 1


def test_opening_again_keeps_everything_and_is_fast(tmp_path: Path) -> None:
    path = tmp_path / "a folder with 100% and spaces" / "owcl.db"
    path.parent.mkdir()
    with Store.open(path) as store, store.transaction() as transaction:
        classes.create(transaction, "kept")
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        store = Store.open(path)
        seconds.append(time.perf_counter() - start)
        with store, store.reading() as transaction:
            assert classes.get(transaction, 1).name == "kept"
    assert min(seconds) < 0.05


def test_opening_what_is_up_to_date_imports_nothing_heavy(tmp_path: Path) -> None:
    Store.open(tmp_path / "owcl.db").close()
    heavy = "assert not {'alembic', 'torch', 'timm', 'avalanche', 'faiss'} & set(sys.modules)"
    assert start_python(f"{OPEN_ONCE}; {heavy}", tmp_path / "owcl.db").wait() == 0


def test_a_url_opens_the_same_database_as_its_path(tmp_path: Path) -> None:
    with Store.open(tmp_path / "owcl.db") as store, store.transaction() as transaction:
        classes.create(transaction, "kept")
    with Store.open(f"sqlite:///{tmp_path / 'owcl.db'}") as store, store.reading() as transaction:
        assert classes.find(transaction, "kept").id == 1


def test_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    openers = [start_python(OPEN_ONCE, tmp_path / "owcl.db") for _ in range(3)]
    assert [opener.wait() for opener in openers] == [0, 0, 0]


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    plain = sqlite3.connect(tmp_path / "owcl.db")
    plain.execute("CREATE TABLE songs (title)")
    plain.close()
    with pytest.raises(BadInput, match="database of another program"):
        Store.open(tmp_path / "owcl.db")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "owcl.db").write_text("dear diary, " * 1000)
    with pytest.raises(BadInput, match=r"owcl\.db: it cannot be used as a database \(file is not"):
        Store.open(tmp_path / "owcl.db")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"there is no folder .*nowhere"):
        Store.open(tmp_path / "nowhere" / "owcl.db")


def test_ids_are_never_given_twice_even_after_deletion(store: Store) -> None:
    with store.transaction() as transaction:
        experiences.begin(transaction, 0)
        face_ids = faces.add_many(transaction, some_faces(range(3)))
        classes.create(transaction)
        class_id = classes.create(transaction)
    with store.transaction() as transaction:
        transaction.execute(delete(FaceRow).where(FaceRow.id == int(face_ids[-1])))
        transaction.execute(delete(ClassRow).where(ClassRow.id == class_id))
    with store.transaction() as transaction:
        assert faces.add_many(transaction, some_faces(range(9, 10))).tolist() == [4]
        assert classes.create(transaction) == class_id + 1


def test_a_row_that_refers_to_nothing_is_refused(store: Store) -> None:
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), store.transaction() as transaction:
        faces.add_many(transaction, some_faces(range(1)))


def test_the_integrity_check_names_a_dangling_reference(store: Store) -> None:
    with store.transaction() as transaction:
        experiences.begin(transaction, 0)
        faces.add_many(transaction, some_faces(range(1)))
    path = Path(store.engine.url.database or "")
    plain = sqlite3.connect(path)
    plain.execute("DELETE FROM experiences")
    plain.commit()
    plain.close()
    assert store.check_integrity() == ["owcl.db: faces row 1 refers to no experiences"]


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.7, 0.95])
def test_a_damaged_file_is_reported_and_not_a_crash(tmp_path: Path, share: float) -> None:
    path = tmp_path / "owcl.db"
    with Store.open(path) as store, store.transaction() as transaction:
        experiences.begin(transaction, 0)
        faces.add_many(transaction, some_faces(range(2000)))
    content = bytearray(path.read_bytes())
    start = 4096 * int(share * len(content) / 4096)
    content[start : start + 8192] = b"Z" * len(content[start : start + 8192])
    path.write_bytes(content)
    try:
        with Store.open(path) as store:
            complaints = store.check_integrity()
    except BadInput as refusal:
        complaints = [str(refusal)]
    assert complaints
    assert complaints[0].startswith("owcl.db: ")


def test_damage_that_shows_only_when_it_is_met_is_an_error_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "owcl.db"
    with Store.open(path) as store, store.transaction() as transaction:
        classes.create(transaction, "zebra")
    with contextlib.closing(sqlite3.connect(path)) as plain:
        (page,) = plain.execute("SELECT rootpage FROM sqlite_master WHERE name = 'classes'").fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"Z" * 4096
    path.write_bytes(content)
    with Store.open(path) as store:
        for begun in (store.reading, store.transaction):
            with pytest.raises(BadInput, match="the file is damaged"), begun() as transaction:
                classes.live(transaction)
        assert "the file is damaged" in store.check_integrity()[0]


def test_json_takes_numbers_of_numpy(store: Store) -> None:
    evidence = {"size": np.int64(3), "share": np.float32(0.5), "centre": np.array([1.0, 2.0])}
    with store.transaction() as transaction:
        class_id = classes.create(transaction, birth=classes.Birth(evidence=evidence))
    with store.reading() as transaction:
        assert classes.details(transaction, class_id).evidence == {
            "size": 3,
            "share": 0.5,
            "centre": [1.0, 2.0],
        }


def test_a_database_that_can_only_be_read_is_said_to_be_so(filled: Store) -> None:
    def write() -> None:
        with filled.transaction() as transaction:
            transaction.exec_driver_sql("PRAGMA query_only=ON")
            classes.create(transaction, "zebra")

    with pytest.raises(BadInput, match=r"readonly database.*permissions"):
        write()
