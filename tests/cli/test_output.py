"""What reaches the terminal, the script and the spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from owcl.cli import output

HOSTILE = (
    "\x1b]0;owned\x07",
    "\x1b[2J",
    "\x9b31m",
    "a\u202eb",
    "line\nbreak",
    "\r over",
    "tab\t",
    "\udcff",
    "\u2028",
)


@dataclass(frozen=True)
class Example:
    name: str
    figures: dict[int, float]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_hostile_reaches_a_terminal(hostile: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.line(hostile)
    output.fields({"name": hostile})
    output.table(["name"], [[hostile]])
    output.json_object({"name": hostile})
    output.csv_rows(["name"], [[hostile]])
    output.note(hostile.replace("\n", " "))
    captured = capsys.readouterr()
    for text in (captured.out + captured.err).split("\n"):
        assert text.isprintable()


def test_names_in_any_script_are_left_as_they_are() -> None:
    for name in ("Zażółć", "生成器", "नि\u200cश", "🧑\u200d🎨", "[bold]x[/bold]"):
        assert output.printable(name) == name


def test_brackets_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(["name"], [["[red]x[/red]"]])
    assert "[red]x[/red]" in capsys.readouterr().out


def test_a_pipe_gets_whole_lines_without_colour(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 500
    output.table(["id", "name"], [[1, long], [20, "b"]])
    out = capsys.readouterr().out
    assert f" 1   {long}\n20   b\n" in out
    assert "\x1b" not in out


def test_json_is_one_object_in_which_the_undefined_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    output.json_object(
        {
            "one": Example("a\x1b", {3: float("nan")}),
            "two": (np.float32(0.5), np.arange(2)),
            "three": np.int64(7),
        }
    )
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert json.loads(text) == {
        "one": {"name": "a\x1b", "figures": {"3": None}},
        "two": [0.5, [0, 1]],
        "three": 7,
    }


def test_no_cell_of_a_csv_is_a_formula_and_numbers_stay_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    output.csv_rows(["a", "b"], [["=1+1", -0.5], ["+x", None], ["@SUM(A1)", 3], ['-"quoted",', "plain"]])
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows == [
        ["a", "b"], ["'=1+1", "-0.5"], ["'+x", ""], ["'@SUM(A1)", "3"], ["'-\"quoted\",", "plain"],
    ]  # fmt: skip


def test_a_terminal_of_another_encoding_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    output.line("Zażółć")
    output.table(["name"], [["Zażółć"]])
    stream.seek(0)
    assert "Za\\u017c\\xf3\\u0142\\u0107" in stream.read()


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress() as report:
        report("ingesting", 1, 2)
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    """A stream that says that a person looks at it."""

    def isatty(self) -> bool:
        return True


def test_what_does_not_fit_beside_the_rest_is_compared_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys, "stdout", Terminal())
    output.compared(["", "owcl", "published", "bound"], [["novel", "88 ± 4", "51 ± 3", "98 ± 1"]])
    shown = sys.stdout.getvalue()  # type: ignore[attr-defined]
    first, second = shown.split("\n\n")
    assert first.split() == ["owcl", "published", "─" * 26, "novel", "88", "±", "4", "51", "±", "3"]
    assert second.split() == ["bound", "─" * 14, "novel", "98", "±", "1"]
    assert all(len(line) <= 30 for line in shown.splitlines())


def test_a_pipe_gets_all_that_is_compared_in_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"learner {number}" for number in range(20)]
    output.compared(["", *names], [["novel", *map(str, range(20))]])
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_progress_shows_what_is_done_with_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with output.progress() as report:
        report("ingesting \x1b]0;x\x07", 0, 40)
        report("ingesting \x1b]0;x\x07", 40, 40)
        report("clustering", 0, None)
    shown = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "ingesting \\x1b]0;x\\x07" in shown
    assert "clustering" in shown
