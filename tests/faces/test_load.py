"""A folder of bad files, of the kinds that people really have."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from owcl.errors import BadInput
from owcl.faces.crop import CropCache, HaarDetector
from owcl.faces.load import Limits, LoadedFace, load, load_many, load_mask, stacked
from owcl.faces.sources import Listed, expand
from owcl.faces.transforms import resize_once
from owcl.types import Quarantined


def _png(path: Path, value: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((8, 8, 3), value, np.uint8)
    pixels[4:] += 100
    Image.fromarray(pixels).save(path, "PNG")
    return path


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Six good images, of which two are the same, among everything that goes wrong."""
    root = tmp_path / "faces"
    _png(root / "a.png", 1)
    _png(root / "copy of a.png", 1)
    _png(root / "ünïcødé 面.png", 2)
    _png(root / ("long" * 60 + ".png"), 3)
    _png(root / "below" / "b.png", 4)
    with zipfile.ZipFile(root / "more.zip", "w") as archive:
        archive.write(_png(tmp_path / "z.png", 5), "../../escape.png")
        archive.writestr("broken.png", b"nothing")
        archive.writestr("notes.txt", b"not for us")
    (root / "empty.png").write_bytes(b"")
    (root / "text.png").write_text("hello")
    (root / "cut.png").write_bytes((root / "a.png").read_bytes()[:-24])
    (root / "notes.txt").write_text("no image, not meant to be one")
    (root / "broken.zip").write_bytes(b"PK\x05\x06 no archive")
    (root / "folder.png").mkdir()
    (root / "loop").symlink_to(root)
    (root / "gone.png").symlink_to(root / "nowhere")
    os.mkfifo(root / "pipe.png")
    return root


def test_every_bad_file_has_a_reason_and_every_good_one_is_loaded(collection: Path) -> None:
    results = list(load_many(expand([collection]), 8, Limits()))
    good = [result for result in results if isinstance(result, LoadedFace)]
    bad = {
        Path(result.source.split("::")[-1]).name: result.reason
        for result in results
        if isinstance(result, Quarantined)
    }
    assert sorted(int(face.pixels[0, 0, 0]) for face in good) == [1, 1, 2, 3, 4, 5]
    assert bad.pop("cut.png").startswith("damaged image")
    assert bad.pop("broken.zip")
    assert bad == {
        "broken.png": "not an image of a known format",
        "empty.png": "the file is empty",
        "text.png": "not an image of a known format",
        "gone.png": "No such file or directory",
        "pipe.png": "not a plain file",
    }


def test_the_hash_is_that_of_the_file(collection: Path) -> None:
    face = load(str(collection / "a.png"), 8, Limits())
    assert isinstance(face, LoadedFace)
    assert face.sha256 == hashlib.sha256((collection / "a.png").read_bytes()).hexdigest()


def test_faces_come_in_order_whatever_the_number_of_threads(tmp_path: Path) -> None:
    sources = [str(_png(tmp_path / f"{value:03d}.png", value)) for value in range(100)]
    for workers in (1, 3):
        found = [face for face in load_many(sources, 8, Limits(), workers) if isinstance(face, LoadedFace)]
        assert [int(face.pixels[0, 0, 0]) for face in found] == list(range(100))


def test_faces_are_stacked_with_their_channels_first_even_if_there_are_none(tmp_path: Path) -> None:
    faces = [load(str(_png(tmp_path / f"{value}.png", value)), 4, Limits()) for value in (1, 2)]
    images = stacked([face for face in faces if isinstance(face, LoadedFace)], 4)
    assert images.shape == (2, 3, 4, 4)
    assert [np.unique(image).tolist() for image in images] == [[1, 101], [2, 102]]
    assert stacked([], 4).shape == (0, 3, 4, 4)


@pytest.mark.parametrize("picture", [Image.new("RGB", (64, 64)), Image.new("RGB", (1, 1), "teal")])
def test_an_image_of_one_colour_goes_into_quarantine(picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "blank.png")
    result = load(str(tmp_path / "blank.png"), 8, Limits())
    assert isinstance(result, Quarantined)
    assert result.reason == "the image shows nothing: all of its pixels have one colour"


def test_too_large_files_are_not_read(tmp_path: Path) -> None:
    result = load(str(_png(tmp_path / "a.png", 1)), 8, Limits(max_bytes=10))
    assert isinstance(result, Quarantined)
    assert result.reason == "larger than 10 bytes"


def test_a_path_that_is_not_there_is_an_error_of_the_call(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such file or folder"):
        list(expand([tmp_path / "absent"]))


def test_a_path_that_is_not_there_is_an_error_before_the_first_image(collection: Path) -> None:
    with pytest.raises(BadInput, match="absent: there is no such file"):
        next(expand([collection / "a.png", collection / "absent"]))


def test_what_is_gone_of_a_list_is_for_quarantine_and_the_rest_is_taken(collection: Path) -> None:
    here, gone = str(collection / "a.png"), str(collection / "vanished.png")
    first, second, third = expand(map(Listed, [here, gone, here]))
    assert (first, third) == (here, here)
    assert second == Quarantined(gone, None, "listed, but there is no such file or folder")


def test_a_pattern_stands_for_what_it_matches(collection: Path) -> None:
    assert list(expand([f"{collection}/b*/*.png"])) == [str(collection / "below" / "b.png")]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_what_is_not_permitted_goes_into_quarantine(tmp_path: Path) -> None:
    path = _png(tmp_path / "a.png", 1)
    path.chmod(0)
    result = load(str(path), 8, Limits())
    assert isinstance(result, Quarantined)
    assert result.reason == "Permission denied"


def test_an_image_of_the_right_size_is_left_alone(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (64, 64, 3), np.uint8)
    assert (resize_once(image, 64) == image).all()


def test_shrinking_averages_areas_of_the_central_square() -> None:
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 2:6] = [[[0], [10], [20], [30]]]
    assert resize_once(wide, 2)[:, :, 0].tolist() == [[5, 25], [5, 25]]


def test_without_a_detector_the_box_is_the_central_square(tmp_path: Path) -> None:
    Image.linear_gradient("L").resize((9, 4)).save(tmp_path / "wide.png")
    face = load(str(tmp_path / "wide.png"), 2, Limits())
    assert isinstance(face, LoadedFace)
    assert face.box == (2, 0, 6, 4)


def test_most_portraits_have_a_face_and_noise_has_none(portraits: Path, rng: np.random.Generator) -> None:
    detector = HaarDetector()
    sources = sorted(map(str, portraits.glob("*.jpg")))[:40]
    loaded = [load(source, 64, Limits(), detector) for source in sources]
    assert np.mean([face.face_found for face in loaded if isinstance(face, LoadedFace)]) > 0.8
    assert len(detector.detect(rng.integers(0, 256, (96, 96, 3), np.uint8))) == 0


def test_a_crop_is_made_once(portraits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = str(min(portraits.glob("*.jpg")))
    detector, cache = HaarDetector(), CropCache(tmp_path)
    first = load(source, 64, Limits(), detector, cache)
    monkeypatch.setattr(detector, "detect", lambda image: pytest.fail("looked for the face again"))
    second = load(source, 64, Limits(), detector, cache)
    assert isinstance(first, LoadedFace)
    assert isinstance(second, LoadedFace)
    assert (first.pixels == second.pixels).all()
    assert first.face_found == second.face_found


def picture_of(portraits: Path, folder: Path) -> Path:
    """A portrait somewhere in a larger picture."""
    with Image.open(min(portraits.glob("*.jpg"))) as face:
        picture = Image.new("RGB", (3 * face.width, 2 * face.height), "grey")
        picture.paste(face, (face.width, face.height // 2))
    picture.save(folder / "picture.png")
    return folder / "picture.png"


def test_the_box_of_a_face_is_the_part_of_the_picture_that_is_seen(portraits: Path, tmp_path: Path) -> None:
    path = picture_of(portraits, tmp_path)
    detector, cache = HaarDetector(), CropCache(tmp_path / "crops")
    for _ in ("found", "from the cache"):
        face = load(str(path), 32, Limits(), detector, cache)
        assert isinstance(face, LoadedFace)
        with Image.open(path) as picture:
            seen = np.asarray(picture.crop(face.box))
            assert seen.shape[0] == seen.shape[1] < picture.height
        np.testing.assert_array_equal(face.pixels, resize_once(seen, 32))


def test_a_crop_that_was_kept_without_its_box_is_made_again(portraits: Path, tmp_path: Path) -> None:
    path, detector, cache = picture_of(portraits, tmp_path), HaarDetector(), CropCache(tmp_path / "crops")
    first = load(str(path), 32, Limits(), detector, cache)
    for kept in cache.folder.rglob("*.png"):
        Image.new("RGB", (8, 8)).save(kept)
    again = load(str(path), 32, Limits(), detector, cache)
    assert isinstance(first, LoadedFace)
    assert isinstance(again, LoadedFace)
    assert (first.pixels == again.pixels).all()


@pytest.mark.parametrize("scale", [1, 2])
def test_a_mask_is_cut_as_its_face_whatever_its_resolution(
    portraits: Path, tmp_path: Path, scale: int
) -> None:
    path = picture_of(portraits, tmp_path)
    face = load(str(path), 32, Limits(), HaarDetector())
    assert isinstance(face, LoadedFace)
    left, _, right, _ = face.box
    mask = np.zeros(face.size[::-1], np.uint8)
    mask[:, (left + right) // 2 :] = 4
    Image.fromarray(mask[::scale, ::scale]).save(tmp_path / "mask.png")
    found = load_mask(tmp_path / "mask.png", face, Limits())
    assert isinstance(found, np.ndarray)
    assert found.shape == (32, 32)
    assert found[:, 17:].all()
    assert not found[:, :15].any()


def test_a_mask_that_cannot_be_read_is_set_aside_with_the_reason(tmp_path: Path) -> None:
    face = load(str(_png(tmp_path / "face.png", 1)), 8, Limits())
    assert isinstance(face, LoadedFace)
    whole = _png(tmp_path / "mask.png", 1).read_bytes()
    for content, limits, reason in (
        (b"", Limits(), "the file is empty"),
        (whole[:45], Limits(), "damaged image"),
        (b"no image", Limits(), "not an image of a known format"),
        (whole, Limits(max_pixels=63), "too many pixels"),
        (whole, Limits(max_bytes=9), "larger than 9 bytes"),
    ):
        (tmp_path / "mask.png").write_bytes(content)
        found = load_mask(tmp_path / "mask.png", face, limits)
        assert isinstance(found, Quarantined)
        assert reason in found.reason


def test_no_face_found_is_recorded(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "noise.png"
    Image.fromarray(rng.integers(0, 256, (80, 80, 3), np.uint8)).save(path)
    face = load(str(path), 64, Limits(), HaarDetector(), CropCache(tmp_path / "crops"))
    assert isinstance(face, LoadedFace)
    assert face.face_found is False
    assert load(str(path), 64, Limits(), HaarDetector(), CropCache(tmp_path / "crops")).face_found is False  # type: ignore[union-attr]


def test_paths_come_out_absolute_so_that_faces_are_found_again_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "a.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    wanted = [str(tmp_path / "faces" / "a.png")]
    assert list(expand(["faces"])) == list(expand(["faces/*.png"])) == list(expand(["faces/a.png"])) == wanted


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_a_damaged_member_of_an_archive_goes_into_quarantine_and_the_others_are_read(tmp_path: Path) -> None:
    png = _png(tmp_path / "a.png", 7).read_bytes()
    path = _zip(tmp_path / "faces.zip", {"good.png": png, "torn.png": bytes(range(256)) * 40})
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("torn.png").header_offset
    data = bytearray(path.read_bytes())
    data[start + 45 : start + 60] = b"\xff" * 15
    path.write_bytes(data)
    torn, good = sorted(load_many(expand([path]), 8, Limits()), key=lambda face: isinstance(face, LoadedFace))
    assert isinstance(torn, Quarantined)
    assert torn.reason.startswith("in the archive: ")
    assert isinstance(good, LoadedFace)
    assert good.source == f"{path}::good.png"


def test_a_member_without_a_name_and_a_folder_are_no_images(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder.png/", b"")
        archive.writestr("a.png", b"x")
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(b"a.png", b"\0.png"))
    assert list(expand([tmp_path / "a.zip"])) == []


def test_an_archive_may_be_named_in_capitals_and_lie_in_a_folder_named_like_one(tmp_path: Path) -> None:
    folder = tmp_path / "not.zip::really"
    folder.mkdir()
    png = _png(tmp_path / "a.png", 7).read_bytes()
    path = _zip(folder / "FACES.ZIP", {"a.png": png, "b.png": png})
    loaded = list(load_many(expand([path]), 8, Limits()))
    assert [face.source for face in loaded] == [f"{path}::a.png", f"{path}::b.png"]
    assert all(isinstance(face, LoadedFace) for face in loaded)


def test_a_pattern_through_a_loop_of_links_matches_every_file_once(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    wanted = _png(tmp_path / "faces" / "a.png", 1)
    (tmp_path / "faces" / "again").symlink_to(tmp_path / "faces")
    assert list(expand([f"{tmp_path}/**/*.png"])) == [str(wanted)]


def test_an_image_that_pillow_warns_of_never_ends_the_run(tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    # Between Pillow's threshold for a warning and ours, by its header alone.
    data = bytearray(_png(tmp_path / "small.png", 1).read_bytes())
    data[16:24] = (9_900).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    large.write_bytes(data)
    assert isinstance(load(str(large), 8, Limits()), Quarantined)
