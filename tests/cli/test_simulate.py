"""How a simulation is asked for and shown; running one is tested end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from owcl.cli.main import run
from owcl.cli.simulate import _turned


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


def test_a_preset_that_there_is_not_is_answered_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "there"
    assert run(["simulate", "rendered", "--preset", "quite", "--workspace", str(place)]) == 4
    assert 'Did you mean "quiet"?' in capsys.readouterr().err
    assert not place.exists()
