"""A published recipe on a miniature of its benchmark, end to end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from owcl.cli.main import run
from owcl.engine.reproduce import COLUMNS, Asked, published_columns, reproduce
from tests.scenarios.test_benchmarks import make_owdfa, make_owdfa40


def test_the_columns_are_those_of_the_papers_in_percent() -> None:
    truth = np.array([0, 0, 1, 1, 2, 2, 2, 2])
    predicted = np.array([0, 1, 1, 1, 0, 0, 0, 3])
    values = published_columns(truth, predicted, 2)
    assert tuple(values) == COLUMNS
    # Known directly; novel faces alone may be matched to a known output; all faces together may not twice.
    assert (values["known_acc"], values["novel_acc"], values["all_acc"]) == (75.0, 75.0, 62.5)


@pytest.mark.parametrize(
    ("name", "make"), [("owdfa-p1", lambda root: make_owdfa(root, 1)), ("owdfa40-p2", make_owdfa40)]
)
def test_a_table_with_the_published_row_is_printed_and_written(
    name: str, make: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path / "data")  # type: ignore[operator]
    small = ["--backbone", "resnet10t", "--weights", "random", "--image-size", "96", "--epochs", "1"]
    words = ["reproduce", name, "--root", str(root), "--output", str(tmp_path / "out"), *small]
    assert run(words) == 0
    shown = capsys.readouterr()
    assert "published" in shown.out
    assert "backbone: resnet10t, not resnet50.ram_in1k" in shown.out + shown.err
    assert "weights: random, not pretrained" in shown.out + shown.err
    written = json.loads((tmp_path / "out" / f"{name}.json").read_text(encoding="utf-8"))
    assert written["ours"].keys() == written["published"].keys()
    assert written["faces"]["test"] > 0
    assert all(0 <= value <= 100 or column.endswith("ari") for column, value in written["ours"].items())
    table = (tmp_path / "out" / f"{name}.md").read_text(encoding="utf-8")
    assert f"| published | {written['published']['all_acc']:.2f} |" in table
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{name}.json", f"{name}.md"]


def test_without_the_number_of_classes_it_says_how_many_were_found(tmp_path: Path) -> None:
    asked = Asked(
        "owdfa-p1",
        make_owdfa(tmp_path / "data", 1),
        learner="cal_uncounted",
        backbone="resnet10t",
        weights="random",
        image_size=96,
        epochs=1,
    )
    *_, number = reproduce(asked, tmp_path / "out").deviations
    found = re.fullmatch(r"number of classes: not told, (\d+) found of 20 \((.+)% off, (.+)% of .*\)", number)
    assert found
    # Prototypes go between epochs, of which there is one: all ten for each known class are left.
    assert int(found[1]) == 80
    assert float(found[2]) == pytest.approx(100 * abs(int(found[1]) - 20) / 20, abs=0.01)
    assert float(found[3]) == pytest.approx(100 * abs(int(found[1]) - 20) / 12, abs=0.01)


def test_interrupted_it_goes_on_after_the_last_whole_epoch(tmp_path: Path) -> None:
    root = make_owdfa(tmp_path / "data", 1)
    asked = Asked("owdfa-p1", root, backbone="resnet10t", weights="random", image_size=96, epochs=2)
    steps: list[tuple[int, int]] = []

    def impatient(what: str, done: int, total: int | None) -> None:
        if what.startswith("training") and total is not None:
            steps.append((done, total))
            if len(steps) == total - 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce(asked, tmp_path / "out", impatient)
    (_, total), *_ = steps
    steps.clear()
    reproduce(asked, tmp_path / "out", impatient)
    assert [done for done, _ in steps] == list(range(total // 2 + 1, total + 1))


def test_without_the_data_it_says_so_plainly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reproduce", "owdfa-p1", "--root", str(tmp_path / "absent")]) == 3
    assert "the data of owdfa-p1 is not there. It is not ours to ship" in capsys.readouterr().err
    assert run(["reproduce", "owdfa-p7", "--root", str(tmp_path)]) == 4
