"""How a simulation is asked for and shown; running one is tested end to end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from owcl.cli.main import run
from owcl.cli.simulate import _turned
from scenarios.composition import PRESETS


def test_the_table_has_a_column_for_each_method() -> None:
    headers, rows = _turned(["", "ami", "ari"], [["owcl", "1", "2"], ["cpl_official", "3", "4"]])
    assert headers == ["", "owcl", "cpl_official"]
    assert rows == [["ami", "1", "3"], ["ari", "2", "4"]]


def test_a_scenario_that_cannot_be_asked_for_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["folder"], ["forge"], ["rendered", "--seeds", "-1"]):
        assert run(["simulate", *words]) == 2
    assert run(["simulate", "folder", "absent"]) == 3
    assert run(["simulate", "rendered", "--preset", "quite"]) == 4
    assert run(["simulate", "rendered", "--learner", "clp"]) == 4
    assert list(tmp_path.iterdir()) == []


def test_the_help_and_the_readme_name_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "rendered", "--help"]) == 0
    shown = re.split(r"[\s,;]+", capsys.readouterr().out)
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for preset in PRESETS:
        assert preset in shown
        assert f"`{preset}`" in readme


def test_a_preset_that_there_is_not_is_answered_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "there"
    assert run(["simulate", "rendered", "--preset", "quite", "--workspace", str(place)]) == 4
    assert 'Did you mean "quiet"?' in capsys.readouterr().err
    assert not place.exists()
