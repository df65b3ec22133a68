"""What is asked of classes, and decided about them, on the command line."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import click
import pytest

from owcl.cli.options import CLASS
from owcl.engine import registry
from storage.store import Store
from tests.cli.conftest import Owcl


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
