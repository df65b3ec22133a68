"""The command line as a person and a script meet it."""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from owcl.cli import session
from owcl.cli.main import COMMANDS, run
from owcl.cli.options import CLASS
from owcl.cli.session import Session, guarded
from owcl.engine import registry
from owcl.errors import Conflict
from owcl.types import Quarantined
from storage import classes, experiences, faces, memberships, quarantine
from storage.store import Store
from tests.conftest import SmallWorld

HEAVY = ("torch", "numpy", "sqlalchemy", "rich", "pydantic", "avalanche", "faiss", "pandas")
HELP = "from owcl.cli.main import run; run(['--help'])"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Class 1 `real` with faces 1 to 3, class 2 with faces 4 to 6, nothing trained."""
    root = tmp_path / "cases"
    assert run(["init", str(root)]) == 0
    with Store.open(root / "owcl.db") as store, store.transaction() as transaction:
        experiences.begin(transaction, 0, labelled=True)
        rows = [faces.NewFace(f"{n:064x}", f"/gone/{n}.png", (64, 64), 0) for n in range(1, 7)]
        faces.add_many(transaction, rows)
        for name, start in (("real", 1), (None, 4)):
            new = classes.create(transaction, name, "known" if name else "provisional")
            memberships.assign(transaction, range(start, start + 3), new, memberships.Grounds("label"))
    return root


Answer = tuple[int, str, str]
Owcl = Callable[..., Answer]


@pytest.fixture
def owcl(workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Owcl:
    monkeypatch.setenv("OWCL_WORKSPACE", str(workspace))

    def call(*words: str) -> Answer:
        capsys.readouterr()
        code = run(words)
        return (code, *capsys.readouterr())

    return call


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


def test_a_class_that_is_not_there_ends_with_4_and_a_taken_name_with_5(owcl: Owcl, workspace: Path) -> None:
    assert owcl("classes", "show", "nobody")[0] == 4
    assert owcl("classes", "undo")[0] == 4
    assert owcl("classes", "name", "2", "Real")[0] == 5
    assert owcl("init", str(workspace))[0] == 5


@pytest.mark.parametrize(
    "words", [["undo"], ["redo"], ["adopt"], ["make"], ["label", "2"], ["release", "2"], ["split", "2"]]
)
def test_an_id_that_no_database_holds_is_not_there_either(owcl: Owcl, words: list[str]) -> None:
    code, _, err = owcl("classes", *words, str(2**63))
    assert code == 4
    assert f"{2**63}: there is none" in err


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


def test_classes_are_listed_named_merged_and_undone(owcl: Owcl) -> None:
    assert owcl("classes", "name", "new-2", "Style GAN", "--family", "synthesis", "--who", "anna")[0] == 0
    code, out, _ = owcl("classes", "list", "--json")
    line = {"id": 2, "name": "Style GAN", "family": "synthesis", "status": "named"}
    assert code == 0
    assert json.loads(out)["classes"][1] == line | {"faces": 3, "born": None, "merged_into": None}
    assert owcl("classes", "merge", "style gan", "real", "--who", "ben")[0] == 0
    assert len(json.loads(owcl("classes", "list", "--json")[1])["classes"]) == 1
    assert len(json.loads(owcl("classes", "list", "--all", "--json")[1])["classes"]) == 2
    assert "undone: merge of class 2 by ben" in owcl("classes", "undo")[1]
    history = json.loads(owcl("classes", "history", "--json")[1])["decisions"]
    assert [one["verb"] for one in history] == ["undo", "merge", "name"]
    assert "2.name: new-2 → Style GAN" in owcl("classes", "history")[1]


def test_decisions_on_the_same_faces_are_undone_one_after_the_other(owcl: Owcl) -> None:
    def sizes() -> list[int]:
        return [line["faces"] for line in json.loads(owcl("classes", "list", "--json")[1])["classes"]]

    owcl("classes", "make", "2", "3", "4")
    owcl("classes", "label", "real", "2", "3")
    assert sizes() == [3, 2, 1]
    assert [owcl("classes", "undo")[0] for _ in range(2)] == [0, 0]
    assert sizes() == [3, 3]


def test_a_labelled_method_does_not_go_by_the_name_of_a_discovered_class(owcl: Owcl) -> None:
    code, _, err = owcl("classes", "merge", "real", "2")
    assert code == 5
    assert "class 2 into class 1" in err
    assert owcl("classes", "merge", "2", "2")[0] == 5


def test_a_name_that_was_merged_away_says_where_it_went(owcl: Owcl) -> None:
    owcl("classes", "merge", "2", "real")
    code, _, err = owcl("classes", "show", "new-2")
    assert code == 4
    assert "'new-2' is class 2, which was merged into class 1" in err


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


def test_an_empty_family_takes_it_away(owcl: Owcl) -> None:
    owcl("classes", "name", "2", "SimSwap", "--family", "identity swap")
    assert owcl("classes", "name", "2", "SimSwap", "--family", "")[0] == 0
    assert json.loads(owcl("classes", "list", "--json")[1])["classes"][1]["family"] is None


def test_faces_to_split_off_may_come_from_a_pipe(owcl: Owcl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"4\r\n\n5\n")))
    code, out, _ = owcl("classes", "split", "2", "-", "--json")
    assert (code, json.loads(out)["id"]) == (0, 3)
    assert json.loads(owcl("classes", "show", "3", "--json")[1])["members"] == 2
    assert owcl("classes", "split", "2", "six")[0] == 3


@pytest.mark.parametrize("name", ["<script>x</script>", "=1+1", "'; DROP TABLE classes;--", "[red]", "../.."])
def test_a_hostile_name_is_shown_as_it_is_and_harms_nothing(owcl: Owcl, name: str) -> None:
    assert owcl("classes", "name", "2", name)[0] == 0
    assert name in owcl("classes", "list")[1]
    assert name in owcl("classes", "show", name)[1]
    assert json.loads(owcl("classes", "show", name, "--json")[1])["line"]["name"] == name


def test_names_that_steer_a_terminal_are_refused_and_not_repeated(owcl: Owcl) -> None:
    code, out, err = owcl("classes", "name", "2", "x\x1b[31m", "--who", "\x1b]0;me\x07")
    assert code == 3
    assert "\x1b" not in out + err


def test_a_class_that_is_not_unicode_is_not_there(owcl: Owcl) -> None:
    code, _, err = owcl("classes", "show", os.fsdecode(b"caf\xe9"))
    assert code == 4
    assert r"there is no class 'caf\udce9'" in err


@pytest.mark.parametrize("who", ["", " ", "anna\nben", os.fsdecode(b"andr\xe9")])
def test_who_decides_can_be_read_in_the_history(owcl: Owcl, who: str) -> None:
    code, _, err = owcl("classes", "reject", "2", "--who", who)
    assert code == 3
    assert "it is no name" in err
    assert json.loads(owcl("classes", "history", "--json")[1])["decisions"] == []


def test_a_user_without_a_name_decides_by_number(owcl: Owcl, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    assert owcl("classes", "reject", "2")[0] == 0
    assert json.loads(owcl("classes", "history", "--json")[1])["decisions"][0]["who"] == "user 2147483641"


def test_the_tab_key_completes_names_that_are_one_word_and_ids_of_the_others(owcl: Owcl) -> None:
    def offered(incomplete: str) -> list[str]:
        context = click.Context(click.Command("show"))
        return [item.value for item in CLASS.shell_complete(context, click.Argument(["class_"]), incomplete)]

    assert offered("") == ["real", "new-2"]
    assert offered("re") == ["real"]
    owcl("classes", "name", "2", "$(reboot) ;x")
    assert offered("") == ["real", "2"]


def test_the_tab_key_offers_nothing_where_there_is_no_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWCL_WORKSPACE", str(tmp_path))
    assert CLASS.shell_complete(click.Context(click.Command("show")), click.Argument(["class_"]), "") == []
    assert not list(tmp_path.iterdir())


def test_who_decided_is_made_harmless_where_it_is_shown(workspace: Path, owcl: Owcl) -> None:
    with Store.open(workspace / "owcl.db") as store:
        registry.reject(store, "2", "\x1b]0;me\x07")
    assert "\\x1b]0;me\\x07" in owcl("classes", "history")[1]


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
