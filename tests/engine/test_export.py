"""Exports: complete, harmless, and never over anything that is there."""

from __future__ import annotations

import csv
import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from owcl.engine.export import export, folder_name
from owcl.engine.workspace import Workspace
from owcl.errors import BadInput, Conflict
from owcl.types import UNKNOWN, Attributions
from storage import attributions, classes, experiences, faces, memberships, models

NAMES = ("=cmd()", "../../up", "a/b")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Five faces: three of hostile classes, one in an archive and unknown, one whose file is gone."""
    contents = [f"image {n}".encode() for n in range(5)]
    sources = [tmp_path / "in" / f"same{suffix}" for suffix in (".png", ".JPG", ".p;ng", ".zip", ".png")]
    sources[0].parent.mkdir()
    for source, content in zip(sources[:3], contents, strict=False):
        source.write_bytes(content)
    with zipfile.ZipFile(sources[3], "w") as archive:
        archive.writestr("../evil.png", contents[3])
    places = [*map(str, sources[:3]), f"{sources[3]}::../evil.png", str(tmp_path / "gone.png")]
    with Workspace.create(tmp_path / "cases") as opened:
        with opened.store.transaction() as transaction:
            experiences.begin(transaction, 0)
            shas = [hashlib.sha256(content).hexdigest() for content in contents]
            rows = [faces.NewFace(s, p, (8, 8), 0) for s, p in zip(shas, places, strict=True)]
            ids = faces.add_many(transaction, rows)
            for face_id, name in zip(ids.tolist(), NAMES, strict=False):
                new = classes.create(transaction, name, "named")
                memberships.assign(transaction, [face_id], new, memberships.Grounds("operator"))
            version = models.add(transaction, "models/0.safetensors", {}, (), {})
            nobody = np.full(2, UNKNOWN)
            says = Attributions(ids[3:], nobody, np.array([0.5, 0.25]), np.array([0.01, 0.02]), version)
            attributions.write(transaction, says)
        yield opened


def test_csv_holds_every_face_and_no_formula(workspace: Workspace, tmp_path: Path) -> None:
    assert export(workspace, "csv", tmp_path / "out.csv").faces == 5
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["class_name"] for row in rows] == ["'=cmd()", "../../up", "a/b", "unknown", "unknown"]
    assert [row["origin"] for row in rows] == ["operator"] * 3 + ["model"] * 2
    assert [row["probability"] for row in rows] == ["", "", "", "0.5", "0.25"]
    assert [int(row["class_id"]) for row in rows] == [1, 2, 3, -1, -1]


def test_parquet_holds_the_same_with_types(workspace: Workspace, tmp_path: Path) -> None:
    export(workspace, "parquet", tmp_path / "out.parquet")
    frame = pd.read_parquet(tmp_path / "out.parquet")
    assert frame["class_name"].tolist() == [*NAMES, "unknown", "unknown"]
    assert frame["p_value"].tolist()[3:] == [0.01, 0.02]
    assert frame["p_value"].isna().tolist()[:3] == [True] * 3
    assert frame["experience"].dtype == np.int64


def test_an_image_folder_stays_inside_its_place(workspace: Workspace, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    result = export(workspace, "imagefolder", tmp_path / "out")
    assert (result.faces, result.missing) == (4, (str(tmp_path / "gone.png"),))
    made = {path for path in set(tmp_path.rglob("*")) - before if path.is_file()}
    assert {path.relative_to(tmp_path / "out").parent.name for path in made if "out" in path.parts} == {
        "cmd()-1",
        "up-2",
        "a_b-3",
        "unknown",
    }
    assert sorted(path.read_bytes() for path in made) == [f"image {n}".encode() for n in range(4)]


def test_a_file_that_is_another_image_by_now_is_no_copy_of_the_face(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "in" / "same.JPG").write_bytes(b"another image")
    result = export(workspace, "imagefolder", tmp_path / "out")
    assert result.missing == (str(tmp_path / "in" / "same.JPG"), str(tmp_path / "gone.png"))
    for path in (tmp_path / "out").rglob("*.*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem


def test_nothing_is_overwritten(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("mine")
    for kind in ("csv", "parquet", "imagefolder"):
        with pytest.raises(Conflict, match="it exists, and an export overwrites nothing"):
            export(workspace, kind, tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text() == "mine"
    export(workspace, "imagefolder", tmp_path / "out")
    changed = next((tmp_path / "out" / "cmd()-1").iterdir())
    changed.write_bytes(b"retouched")
    export(workspace, "imagefolder", tmp_path / "out")
    assert changed.read_bytes() == b"retouched"


def test_a_table_has_its_name_only_once_it_is_whole(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()

    def interrupted(what: str, done: int, total: int | None) -> None:
        assert not (folder / "out.csv").exists()
        raise KeyboardInterrupt

    def fills_the_disk(frame: pd.DataFrame, path: Path, index: bool) -> None:
        path.write_bytes(b"PAR1")
        raise OSError("no space left")

    with pytest.raises(KeyboardInterrupt):
        export(workspace, "csv", folder / "out.csv", interrupted)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", fills_the_disk)
    with pytest.raises(OSError, match="no space left"):
        export(workspace, "parquet", folder / "out.parquet")
    assert list(folder.iterdir()) == []


def test_what_a_killed_export_left_does_not_stand_in_the_way(workspace: Workspace, tmp_path: Path) -> None:
    for kind in ("csv", "parquet"):
        left = tmp_path / f".out.{kind}.part"
        left.write_bytes(b"half a table, and longer than a whole one" * 1000)
        export(workspace, kind, tmp_path / f"out.{kind}")
        assert not left.exists()
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 6
    assert len(pd.read_parquet(tmp_path / "out.parquet")) == 5


def test_what_somebody_wrote_meanwhile_stays(workspace: Workspace, tmp_path: Path) -> None:
    def written_meanwhile(what: str, done: int, total: int | None) -> None:
        (tmp_path / "out.csv").write_text("theirs")

    with pytest.raises(Conflict, match="it exists"):
        export(workspace, "csv", tmp_path / "out.csv", written_meanwhile)
    assert (tmp_path / "out.csv").read_text() == "theirs"


def test_a_folder_with_the_faces_of_an_earlier_export_is_refused(
    workspace: Workspace, tmp_path: Path
) -> None:
    export(workspace, "imagefolder", tmp_path / "out")
    with workspace.store.transaction() as transaction:
        classes.merge(transaction, 2, into=1)
    with pytest.raises(Conflict, match=r"files there are not of this export, as .*up-2"):
        export(workspace, "imagefolder", tmp_path / "out")


def test_a_dash_names_no_file(workspace: Workspace) -> None:
    with pytest.raises(BadInput, match="- names no file"):
        export(workspace, "csv", Path("-"))


def test_an_unknown_kind_or_place_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no kind 'xlsx'"):
        export(workspace, "xlsx", tmp_path / "out")
    with pytest.raises(BadInput, match="there is no folder"):
        export(workspace, "csv", tmp_path / "absent" / "out.csv")


def test_no_two_classes_share_a_folder() -> None:
    hostile = ["a/b", "a_b", "a_b-1", "a:b", "unknown", "UNKNOWN", "", "..", "con", "é" * 300, "new-9", "x "]
    names = [folder_name(name, class_id).casefold() for class_id, name in enumerate(hostile, start=1)]
    assert len({*names, folder_name("unknown", UNKNOWN)}) == len(hostile) + 1
    assert folder_name("unknown", UNKNOWN) == "unknown"
    for name in names:
        assert name.strip(". ") == name
        assert len(name.encode()) <= 255
