"""The command line as a person and a script meet it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from owcl.cli import session
from owcl.cli.main import COMMANDS, run
from owcl.cli.session import Session, guarded
from owcl.errors import Conflict
from owcl.types import Quarantined
from storage import faces, quarantine
from storage.store import Store
from tests.cli.conftest import Owcl
from tests.conftest import SmallWorld

HEAVY = ("torch", "numpy", "sqlalchemy", "rich", "pydantic", "avalanche", "faiss", "pandas")
HELP = "from owcl.cli.main import run; run(['--help'])"


def best_seconds(code: str) -> float:
    taken = []
    for _ in range(9):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return min(taken)


def test_help_is_as_quick_as_importing_click_and_a_half() -> None:
    ratios = [best_seconds(HELP) / (1.5 * best_seconds("import click") + 0.05) for _ in range(3)]
    assert statistics.median(ratios) <= 1


def test_help_imports_nothing_heavy() -> None:
    code = f"{HELP}; import sys; print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "guess"),
    [
        (["lern"], ""),
        (["exprt"], 'Did you mean "export"?'),
        (["classes", "mrge"], 'Did you mean "merge"?'),
        (["simulate", "renderd"], 'Did you mean "rendered"?'),
    ],
)
def test_an_unknown_word_is_answered_with_those_there_are(owcl: Owcl, words: list[str], guess: str) -> None:
    code, out, err = owcl(*words)
    assert (code, out) == (2, "")
    assert f"{words[-1]!r}. There are: " in err
    assert guess in err


@pytest.mark.parametrize(
    "words",
    [
        ["ingest"],
        ["train"],
        ["simulate", "forge"],
        ["simulate", "rendered", "--seeds", "0"],
        ["export", "xlsx", "out"],
        ["attribute", "x.png", "--json", "--csv"],
        ["classes", "name", "2"],
    ],
)
def test_a_command_that_is_written_wrongly_ends_with_2(owcl: Owcl, words: list[str]) -> None:
    code, out, err = owcl(*words)
    assert (code, out) == (2, "")
    assert "Error: " in err


def test_a_place_without_a_workspace_ends_with_3_and_says_how_to_make_one(tmp_path: Path, owcl: Owcl) -> None:
    code, out, err = owcl("classes", "list", "--workspace", str(tmp_path))
    assert (code, out) == (3, "")
    assert "there is no workspace here" in err
    assert "owcl init" in err


def test_a_workspace_whose_database_is_gone_is_not_taken_for_an_empty_one(
    workspace: Path, owcl: Owcl
) -> None:
    for part in workspace.glob("owcl.db*"):
        part.unlink()
    for words in (["classes", "list"], ["train", str(workspace)], ["doctor"]):
        code, out, err = owcl(*words, "--workspace", str(workspace))
        assert code == 3
        assert "the database of the workspace is gone" in out + err
    assert not (workspace / "owcl.db").exists()


def test_before_training_the_steps_say_what_comes_first(workspace: Path) -> None:
    # In a process of its own, since the libraries that are imported warn.
    steps = [["discover"], ["update"], ["ingest", "."], ["attribute", "."], ["evaluate", str(workspace)]]
    words = [[*step, "--workspace", str(workspace)] for step in steps]
    code = f"from owcl.cli.main import run; print([run(one) for one in {words!r}])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[3, 3, 3, 3, 3]\n"
    assert done.stderr.count("owcl train FOLDER") == 4
    assert "Warning" not in done.stderr


def test_an_interrupt_ends_with_130_and_says_that_it_is_safe(capsys: pytest.CaptureFixture[str]) -> None:
    for interrupt in (KeyboardInterrupt, click.Abort):

        def command(interrupt: type[BaseException] = interrupt) -> object:
            raise interrupt

        assert guarded(Session(), command) == 130
        assert "It is safe to run again" in capsys.readouterr().err


def test_a_defect_ends_with_1_and_its_details_are_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Session()

    def command() -> object:
        opened.log_to(tmp_path)
        raise RuntimeError("the \x1b[31mroof")

    assert guarded(opened, command) == 1
    err = capsys.readouterr().err
    assert "the \\x1b[31mroof" in err
    assert str(tmp_path / session.LOG) in err
    assert "Traceback" not in err
    assert "Traceback" in (tmp_path / session.LOG).read_text(encoding="utf-8")


def test_a_defect_without_a_log_shows_its_details(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> object:
        raise RuntimeError("roof")

    assert guarded(Session(), command) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_error_of_ours_is_shown_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> object:
        raise Conflict("class 3: \x1b[2Jit was changed. Reload.")

    assert guarded(Session(), command) == 5
    assert capsys.readouterr() == ("", "Error: class 3: \\x1b[2Jit was changed. Reload.\n")


def test_a_reader_that_has_seen_enough_is_no_error(workspace: Path) -> None:
    words = ["classes", "list", "--workspace", str(workspace)]
    code = f"import sys; from owcl.cli.main import run; sys.exit(run({words!r}))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "code"), [(["lern"], 2), (["classes", "undo"], 4), (["classes", "reject", "2"], 0)]
)
def test_without_a_reader_of_notes_a_command_ends_as_it_would(
    workspace: Path, words: list[str], code: int
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    script = f"import sys; from owcl.cli.main import run; sys.exit(run({words!r}))"
    done = subprocess.run(
        [sys.executable, "-c", script], stderr=writer, env={**os.environ, "OWCL_WORKSPACE": str(workspace)}
    )
    os.close(writer)
    assert done.returncode == code


def test_a_folder_that_is_not_there_is_no_mistake_in_the_writing(owcl: Owcl) -> None:
    code, _, err = owcl("train", "/there/is/no/such/folder")
    assert code == 3
    assert "/there/is/no/such/folder: there is no such folder" in err


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["init"], "file/sub"),
        (["report", "--output"], "file/report.html"),
        (["report", "--output"], "x" * 300),
        (["export", "csv"], "x" * 300),
        (["init"], "loop/sub"),
    ],
)
def test_a_place_that_cannot_be_used_is_no_defect(
    owcl: Owcl, tmp_path: Path, words: list[str], place: str
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to("loop")
    code, _, err = owcl(*words, str(tmp_path / place))
    assert code == 3
    assert "Traceback" not in err
    assert str(tmp_path / place.partition("/")[0]) in err


def test_images_of_which_none_can_be_read_are_an_error_of_attribute(
    owcl: Owcl, small_world: SmallWorld, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    assert owcl("attribute", str(tmp_path / "bad.png"), "-w", str(small_world.workspace))[0] == 3


def test_a_report_names_a_path_that_is_not_unicode(owcl: Owcl, workspace: Path) -> None:
    source = os.fsdecode(b"/gone/caf\xe9.png")
    with Store.open(workspace / "owcl.db") as store, store.transaction() as transaction:
        quarantine.add_many(transaction, [Quarantined(source, None, "the file is empty")])
    assert owcl("report")[0] == 0
    assert r"/gone/caf\udce9.png" in (workspace / "report.html").read_text(encoding="utf-8")


def test_doctor_finds_this_machine_sound_and_a_broken_workspace_broken(owcl: Owcl, workspace: Path) -> None:
    code, out, _ = owcl("doctor", "--json")
    found = json.loads(out)
    checks = {check["name"]: check for check in found["checks"]}
    assert (code, found["ok"]) == (0, True), out
    assert checks["workspace"]["detail"] == "6 faces, 0 in quarantine, 2 classes, 1 experiences"
    assert {"database", "device", "package storage", "torch and torchvision match"} <= checks.keys()
    with Store.open(workspace / "owcl.db") as store, store.transaction() as transaction:
        faces.add_many(transaction, [faces.NewFace("f" * 64, "wall.png", (64, 64), 0, face_found=False)])
    checks = {check["name"]: check for check in json.loads(owcl("doctor", "--json")[1])["checks"]}
    assert checks["workspace"]["detail"].endswith("; no face was found in 1 images")
    (workspace / "owcl.db").write_bytes(b"no database" * 100)
    for leftover in workspace.glob("owcl.db-*"):
        leftover.unlink()
    code, out, _ = owcl("doctor")
    assert code == 3
    assert "BROKEN" in out


def test_every_command_of_the_list_can_be_loaded() -> None:
    for name, (place, _) in COMMANDS.items():
        assert place == f"owcl.cli.{name}:{name}"
        assert run([name, "--help"]) == 0
