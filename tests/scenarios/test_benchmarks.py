"""OW-DFA and OWDFA-40 on miniature trees in exactly the published layout."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from owcl.errors import BadInput, NotFound
from scenarios.layouts import owdfa40
from scenarios.layouts.benchmark import NAMES, continual, offline, read_faces, read_protocol, read_recipe
from scenarios.layouts.owdfa import video_of

COLUMNS = (
    "img_name,label,method,forgery_type,forgery_label,face_type,tag,code,image_source,img_path,"
    "compression,frame_idx"
)
FOLDERS = {"FaceForensics++": "faceforensics", "ForgeryNIR": "ForgeryNIR"}


def write_image(path: Path, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(path)


def make_owdfa(
    root: Path,
    protocol: int,
    elsewhere: str = "/data/OW-DFA",
    named: str = "{number:02d}{video}_{index:03d}.png",
) -> Path:
    """A tree with 20 faces of each class in 5 videos; of novel classes a quarter is to be thrown away."""
    rng = np.random.default_rng(0)
    rows = []
    for number, each in enumerate(read_protocol(f"owdfa-p{protocol}").classes):
        folder = f"{each.family}/{each.method}/{FOLDERS.get(each.source, each.source)}"
        for index in range(20):
            name = named.format(number=number, video=index // 4, index=index)
            write_image(root / folder / name, rng)
            tag = (1 if index % 4 else 2) if each.known else (2 if index % 4 else 0)
            source = {"ForgeryNIR": "ForgeryNIR+"}.get(each.source, each.source)
            rows.append(
                [
                    name,
                    number,
                    each.method,
                    "",
                    0,
                    0,
                    tag,
                    "",
                    source,
                    f"{elsewhere}/{folder}/{name}",
                    "c23",
                    index,
                ]
            )
    annotation = root / "meta_data" / f"protocol{protocol}_val_data.csv"
    annotation.parent.mkdir()
    with annotation.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS.split(","))
        writer.writerows(rows)
    return root


def make_owdfa40(root: Path, count: int = 10, named: str = "{video}_{index:03d}.JPG") -> Path:
    rng = np.random.default_rng(0)
    for each in read_protocol("owdfa40-p1").classes:
        for folder in each.folders:
            for index in range(count):
                name = named.format(video=index // 2, index=index)
                write_image(root / folder / "videos" / name, rng)
    return root


@pytest.mark.parametrize(
    ("name", "known", "novel"),
    [
        ("owdfa-p1", 8, 12),
        ("owdfa-p2", 9, 13),
        ("owdfa40-p1", 19, 22),
        ("owdfa40-p2", 13, 28),
        ("owdfa40-p3", 29, 12),
    ],
)
def test_every_protocol_has_its_classes_in_a_fixed_order(name: str, known: int, novel: int) -> None:
    protocol = read_protocol(name)
    assert (len(protocol.known), len(protocol.novel)) == (known, novel)
    names = [each.name for each in protocol.classes]
    assert tuple(names) == (*protocol.known, *protocol.novel)
    assert len(set(names)) == len(names)
    assert {"all_acc", "novel_acc", "known_acc"} <= protocol.published.keys()


def test_a_recipe_is_of_the_learner_whatever_the_benchmark() -> None:
    cpl, cal = read_recipe("cpl"), read_recipe("cal")
    assert (cpl.weight_decay, list(cpl.decay), cpl.seed) == (1e-5, [10, 0.2], 2000)
    assert (cal.weight_decay, list(cal.decay), cal.seed) == (1e-3, [10, 0.05], 2025)
    assert read_recipe("mpsl") == cpl
    assert cal.backbone == f"{cpl.backbone}+frequency_unnormalised"
    with pytest.raises(NotFound, match="Choose one of cpl, mpsl, cal"):
        read_recipe("happy")


def test_protocol_one_of_owdfa_is_protocol_two_without_real_faces() -> None:
    fake = [each.name for each in read_protocol("owdfa-p1").classes]
    both = [each.name for each in read_protocol("owdfa-p2").classes if each.family != "RealFace"]
    assert fake == both


def test_a_benchmark_that_there_is_not_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(NotFound, match=", ".join(NAMES)):
        read_protocol("owdfa-p9")


def test_owdfa_keeps_four_in_five_faces_for_training_and_throws_the_discarded_away(tmp_path: Path) -> None:
    protocol = read_protocol("owdfa-p2")
    faces = read_faces(protocol, make_owdfa(tmp_path, 2))
    for each in protocol.classes:
        sizes = len(faces.labelled[each.name]), len(faces.unlabelled[each.name]), len(faces.test[each.name])
        assert sum(sizes) == (20 if each.known else 15)
        assert sizes[2] == (4 if each.known else 3)
        assert (sizes[0] > 0) == each.known


def test_the_two_stylegan2_of_owdfa_are_two_classes(tmp_path: Path) -> None:
    faces = read_faces(read_protocol("owdfa-p1"), make_owdfa(tmp_path, 1))
    one, other = (set(faces.unlabelled[f"StyleGAN2 ({source})"]) for source in ("ForgeryNet", "ForgeryNIR"))
    assert one
    assert other
    assert not one & other


def test_a_grouped_split_keeps_every_video_on_one_side(tmp_path: Path) -> None:
    protocol = read_protocol("owdfa-p1")
    faces = read_faces(protocol, make_owdfa(tmp_path, 1), "grouped")
    for name in protocol.known:
        training = {video_of(path) for path in faces.labelled[name] + faces.unlabelled[name]}
        assert training.isdisjoint({video_of(path) for path in faces.test[name]})
        assert len(training) == 4


def test_a_grouped_split_draws_the_images_of_owdfa_one_by_one(tmp_path: Path) -> None:
    protocol = read_protocol("owdfa-p1")
    root = make_owdfa(tmp_path, 1)
    annotation = root / "meta_data" / "protocol1_val_data.csv"
    rows = list(csv.DictReader(annotation.read_text(encoding="utf-8").splitlines()))
    for row in rows:
        if row["image_source"] == "DFFD":
            row["frame_idx"] = ""
    with annotation.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS.split(","))
        writer.writeheader()
        writer.writerows(rows)
    test = read_faces(protocol, root, "grouped").test
    # Names alike by fours: of FOMM they are the one video that is held out, of FaceAPP they mean nothing.
    images, frames = (
        [video_of(path) for path in test[name]] for name in ("FaceAPP (DFFD)", "FOMM (ForgeryNet)")
    )
    assert len(images) == len(frames) == 4
    assert len(set(frames)) == 1 < len(set(images))


def test_a_folder_of_numbered_images_is_not_one_video(tmp_path: Path) -> None:
    one = make_owdfa(tmp_path / "one", 1, named="{index:05d}.png")
    other = make_owdfa40(tmp_path / "other", named="{index:05d}.JPG")
    for name, root, size in (("owdfa-p1", one, 20), ("owdfa40-p1", other, 10)):
        protocol = read_protocol(name)
        faces = read_faces(protocol, root, "grouped")
        for each in protocol.known[1:]:
            assert len(faces.labelled[each]) + len(faces.unlabelled[each]) == 0.8 * size
            assert len(faces.test[each]) == 0.2 * size


def test_a_wrong_tree_of_owdfa_is_told_what_is_missing(tmp_path: Path) -> None:
    protocol = read_protocol("owdfa-p1")
    with pytest.raises(BadInput, match="0 annotations of protocol 1"):
        read_faces(protocol, tmp_path)
    make_owdfa(tmp_path, 1)
    annotation = tmp_path / "meta_data" / "protocol1_val_data.csv"
    text = annotation.read_text(encoding="utf-8")
    for path in (tmp_path / "IdentitySwap" / "FSGAN" / "ForgeryNet").iterdir():
        path.unlink()
    with pytest.raises(BadInput, match=r"15 faces .* are not there, of the folders .*FSGAN/ForgeryNet"):
        read_faces(protocol, tmp_path)
    annotation.write_text(text.replace(",tag,", ",mark,", 1), encoding="utf-8")
    with pytest.raises(BadInput, match="the column tag is missing"):
        read_faces(protocol, tmp_path)
    lines = [line for line in text.splitlines(keepends=True) if ",FSGAN," not in line]
    annotation.write_text("".join(lines), encoding="utf-8")
    with pytest.raises(BadInput, match=r"no faces of FSGAN \(ForgeryNet\)"):
        read_faces(protocol, tmp_path)


def test_owdfa40_holds_out_a_fifth_and_labels_three_quarters_of_the_known(tmp_path: Path) -> None:
    protocol = read_protocol("owdfa40-p2")
    faces = read_faces(protocol, make_owdfa40(tmp_path))
    assert len(faces.test["real"]) == 4  # two folders are one class
    assert {len(faces.test[each.name]) for each in protocol.classes[1:]} == {2}
    labelled = sum(map(len, faces.labelled.values()))
    training = labelled + sum(len(faces.unlabelled[name]) for name in protocol.known)
    assert (labelled, training) == (int(0.75 * 112), 112)
    assert all(faces.unlabelled[name] for name in protocol.novel)


def test_owdfa40_takes_no_more_than_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owdfa40, "KNOWN_BUDGET", 8)
    monkeypatch.setattr(owdfa40, "NOVEL_BUDGET", 5)
    protocol = read_protocol("owdfa40-p1")
    faces = read_faces(protocol, make_owdfa40(tmp_path))
    totals = {
        each.name: sum(
            len(part.get(each.name, ())) for part in (faces.labelled, faces.unlabelled, faces.test)
        )
        for each in protocol.classes
    }
    assert {totals[name] for name in protocol.novel} == {5}
    assert {totals[name] for name in protocol.known[1:]} == {8}


def test_a_wrong_tree_of_owdfa40_is_told_which_folders_are_missing(tmp_path: Path) -> None:
    root = make_owdfa40(tmp_path, 2)
    for folder in ("24_Swap_e4s", "0_Real_FF++"):
        (root / folder).rename(root / f"not {folder}")
    with pytest.raises(BadInput, match=r"2 of 42 class folders are missing: 0_Real_FF\+\+, 24_Swap_e4s"):
        read_faces(read_protocol("owdfa40-p1"), root)


@pytest.mark.parametrize("name", ["owdfa-p1", "owdfa40-p2"])
def test_in_a_stream_of_a_grouped_split_every_video_comes_whole(name: str, tmp_path: Path) -> None:
    protocol = read_protocol(name)
    root = make_owdfa(tmp_path, 1) if protocol.layout == "owdfa" else make_owdfa40(tmp_path, 20)
    stream, _ = continual(protocol, read_faces(protocol, root, "grouped"), seed=0)
    first, *later = stream.experiences
    assert first.groups == tuple(video_of(path) for path in first.paths)
    assert len(set(first.groups)) < len(first.paths)
    came_in: dict[str, set[int]] = {}
    for experience in later:
        for path in experience.paths:
            came_in.setdefault(video_of(path), set()).add(experience.index)
    assert {len(experiences) for experiences in came_in.values()} == {1}
    # Which faces of OW-DFA have labels, its annotation says, which mixes them within a video.
    assert came_in.keys().isdisjoint(first.groups) == (protocol.layout == "owdfa40")


def test_the_official_split_of_a_stream_knows_no_videos(tmp_path: Path) -> None:
    protocol = read_protocol("owdfa-p1")
    stream, _ = continual(protocol, read_faces(protocol, make_owdfa(tmp_path, 1)), seed=0)
    first = stream.experiences[0]
    assert first.groups == tuple(map(str, first.paths))


def test_offline_everything_comes_at_once_and_continual_by_family(tmp_path: Path) -> None:
    protocol = read_protocol("owdfa-p1")
    faces = read_faces(protocol, make_owdfa(tmp_path, 1))
    once, key = offline(protocol, faces, seed=0)
    assert len(once.experiences) == 2
    assert key.arrivals == (protocol.known, protocol.novel)
    stream, key = continual(protocol, faces, seed=0)
    assert [len(group) for group in key.arrivals] == [8, 3, 3, 3, 3]
    later = [path for experience in stream.experiences[1:] for path in experience.paths]
    assert sorted(later) == sorted(once.experiences[1].paths)
    for experience in stream.experiences[1:]:
        arrived = {name for group in key.arrivals[: experience.index + 1] for name in group}
        assert {key.method_of[path] for path in experience.paths} <= arrived
        assert {key.method_of[path] for path in experience.paths} >= set(key.arrivals[experience.index])
