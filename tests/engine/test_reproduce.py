"""A published recipe on a miniature of its benchmark, end to end."""

from __future__ import annotations

import json
import re
import shutil
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from owcl.cli.main import run
from owcl.engine.reproduce import COLUMNS, Asked, _read, published_columns, reproduce
from owcl.errors import Conflict
from scenarios.layouts.benchmark import read_recipe
from tests.scenarios.test_benchmarks import make_owdfa, make_owdfa40


def two_epochs(root: Path) -> Asked:
    return Asked("owdfa-p1", root, backbone="resnet10t", weights="random", image_size=96, epochs=2)


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
    asked = replace(two_epochs(make_owdfa(tmp_path / "data", 1)), learner="cal_uncounted", epochs=1)
    *_, number = reproduce(asked, tmp_path / "out").deviations
    found = re.fullmatch(r"number of classes: not told, (\d+) found of 20 \((.+)% off, (.+)% of .*\)", number)
    assert found
    # Prototypes go between epochs, of which there is one: all ten for each known class are left.
    assert int(found[1]) == 80
    assert float(found[2]) == pytest.approx(100 * abs(int(found[1]) - 20) / 20, abs=0.01)
    assert float(found[3]) == pytest.approx(100 * abs(int(found[1]) - 20) / 12, abs=0.01)


def test_while_it_trains_the_faces_that_were_read_are_there_joined_and_not_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, alive = [], []

    def watched(*words: Any) -> tuple[Any, Any]:
        images, rows = _read(*words)
        read.append(weakref.ref(images))
        return images, rows

    def watching(what: str, done: int, total: int | None) -> None:
        if what.startswith("training"):
            alive.append([one() is not None for one in read])

    monkeypatch.setattr("owcl.engine.reproduce._read", watched)
    asked = replace(two_epochs(make_owdfa(tmp_path / "data", 1)), epochs=1)
    reproduce(asked, tmp_path / "out", watching)
    # Labelled, unlabelled and test ones.
    assert alive[0] == [False, False, True]


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data` and `out`, in which the second of two epochs had one more step to go."""
    home = tmp_path_factory.mktemp("interrupted")
    make_owdfa(home / "data", 1)

    def impatient(what: str, done: int, total: int | None) -> None:
        if what.startswith("training") and done + 1 == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce(two_epochs(home / "data"), home / "out", impatient)
    return home


def test_interrupted_it_goes_on_after_the_last_whole_epoch_wherever_the_faces_are_by_now(
    interrupted: Path, tmp_path: Path
) -> None:
    home = Path(shutil.copytree(interrupted, tmp_path / "elsewhere"))
    steps: list[tuple[int, int | None]] = []

    def patient(what: str, done: int, total: int | None) -> None:
        if what.startswith("training"):
            steps.append((done, total))

    reproduce(two_epochs(home / "data"), home / "out", patient)
    (_, total), *_ = steps
    assert total is not None
    assert [done for done, _ in steps] == list(range(total // 2 + 1, total + 1))


def test_a_training_does_not_go_on_with_faces_that_were_cropped_anew(
    interrupted: Path, tmp_path: Path
) -> None:
    home = Path(shutil.copytree(interrupted, tmp_path / "home"))
    for path in (home / "data").rglob("*.png"):
        with Image.open(path) as image:
            image.crop((1, 1, 8, 8)).save(path)
    with pytest.raises(Conflict, match=r"began with other settings \(faces\)"):
        reproduce(two_epochs(home / "data"), home / "out")


@pytest.mark.parametrize(
    "changed", [{"learning_rate": 1e-3}, {"weight_decay": 0.0}, {"decay": [5, 0.5]}, {"seed": 1}], ids=str
)
def test_a_training_does_not_go_on_by_another_recipe(
    interrupted: Path, changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "owcl.engine.reproduce.read_recipe", lambda learner: replace(read_recipe(learner), **changed)
    )
    with pytest.raises(Conflict, match=rf"began with other settings \({next(iter(changed))}\)"):
        reproduce(two_epochs(interrupted / "data"), interrupted / "out")


def test_without_the_data_it_says_so_plainly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reproduce", "owdfa-p1", "--root", str(tmp_path / "absent")]) == 3
    assert "the data of owdfa-p1 is not there. It is not ours to ship" in capsys.readouterr().err
    assert run(["reproduce", "owdfa-p7", "--root", str(tmp_path)]) == 4
