from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from owcl.faces.decode import Undecodable, decode

LIMIT = 10_000_000


def _bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def picture(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (9, 7, 3), np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_keep_every_pixel(kind: str, picture: np.ndarray) -> None:
    assert (decode(_bytes(Image.fromarray(picture), kind), LIMIT) == picture).all()


def test_lossless_webp_keeps_every_pixel(picture: np.ndarray) -> None:
    assert (decode(_bytes(Image.fromarray(picture), "WEBP", lossless=True), LIMIT) == picture).all()


def test_a_flat_jpeg_keeps_its_colour() -> None:
    decoded = decode(_bytes(Image.new("RGB", (16, 16), (200, 100, 50)), "JPEG", quality=95), LIMIT)
    assert np.abs(decoded.astype(int) - [200, 100, 50]).max() <= 3


def test_grey_becomes_three_equal_channels() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    decoded = decode(_bytes(Image.fromarray(grey), "PNG"), LIMIT)
    assert (decoded == grey[:, :, None]).all()


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)
    decoded = decode(_bytes(Image.fromarray(deep), "PNG"), LIMIT)
    assert decoded[0, :, 0].tolist() == [0, 1, 128, 255]


def test_transparency_is_laid_over_white() -> None:
    half = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    half.putpixel((1, 1), (10, 20, 30, 255))
    decoded = decode(_bytes(half, "PNG"), LIMIT)
    assert decoded[0, 0].tolist() == [255, 255, 255]
    assert decoded[1, 1].tolist() == [10, 20, 30]


def test_palettes_are_looked_up() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    assert decode(_bytes(image, "PNG"), LIMIT)[0].tolist() == [[10, 20, 30], [40, 50, 60]]


def test_cmyk_becomes_rgb() -> None:
    decoded = decode(_bytes(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"), LIMIT)
    assert decoded[4, 4].tolist() == [255, 0, 0]


# Where the top left corner of the upright picture lies in the stored one, by EXIF orientation.
@pytest.mark.parametrize(
    ("orientation", "undo"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, 1)),
        (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a, -1)),
    ],
)
def test_every_exif_orientation_comes_out_upright(
    orientation: int, undo: object, picture: np.ndarray
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo(picture)))  # type: ignore[operator]
    assert (decode(_bytes(stored, "PNG", exif=exif), LIMIT) == picture).all()


def _bomb() -> bytes:
    """A few bytes that would decompress to ten gigabytes."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    content = b"IDAT" + zlib.compress(b"\0" * 1000)
    chunks = [
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, content)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"this is not an image", "not an image of a known format"),
        (_bomb(), "too many pixels"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "damaged image|not an image"),
    ],
)
def test_what_is_no_image_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(Undecodable, match=reason):
        decode(data, LIMIT)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_a_truncated_file_of_any_format_is_undecodable(kind: str, rng: np.random.Generator) -> None:
    noise = Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8))
    data = _bytes(noise, kind)
    with pytest.raises(Undecodable):
        decode(data[: len(data) // 2], LIMIT)


def test_random_damage_never_raises_anything_else(rng: np.random.Generator) -> None:
    good = _bytes(Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)), "PNG")
    for _ in range(300):
        damaged = bytearray(good)
        damaged[rng.integers(8, len(good))] = rng.integers(256)
        with contextlib.suppress(Undecodable):
            assert decode(bytes(damaged), LIMIT).shape[2] == 3
