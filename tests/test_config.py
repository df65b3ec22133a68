"""What the configuration file may say, and how it is told what it may not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from owcl.config import Configuration, FacesConfiguration
from owcl.errors import BadInput


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[training]\ndevice = 'gpu'", "training.device is 'gpu'. Input should be 'auto', 'cpu' or 'cuda'"),
        ("[training]\nlearner = 'magic'", "training.learner is 'magic'. One of cpl, mpsl, cal, "),
        ("[novelty]\nscore = 'neighbors'", 'or ensemble is expected; the nearest is "neighbours". Keys'),
        ("[novelty]\ncount = '{density}'", "novelty.count is '{density}'. One of scaled_density, "),
        ("[novelty]\nsmallest_class = 3", "novelty.smallest_class is 3. Input should be greater than"),
        (
            "[faces]\nlargest_megabytes = inf",
            "faces.largest_megabytes is inf. Input should be a finite number",
        ),
        ("[faces]\nlargest_megapixels = 200", "faces.largest_megapixels is 200. Input should be less than"),
        ("seed = 9223372036854775808", "seed is 9223372036854775808. Input should be less than"),
        ("[training]\nlearnr = 'cpl'", "training.learnr is 'cpl'. Extra inputs are not permitted"),
    ],
)
def test_what_is_not_allowed_is_refused_with_what_is(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "owcl.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=re.escape(words)):
        Configuration.read(tmp_path / "owcl.toml")


def test_words_that_are_allowed_are_read(tmp_path: Path) -> None:
    (tmp_path / "owcl.toml").write_text("[novelty]\nscore = 'vim'\ncount = 'consensus'", encoding="utf-8")
    novelty = Configuration.read(tmp_path / "owcl.toml").novelty
    assert (novelty.score, novelty.count) == ("vim", "consensus")


def test_a_file_that_is_not_unicode_is_refused_as_such(tmp_path: Path) -> None:
    (tmp_path / "owcl.toml").write_bytes("seed = 1  # caf\u00e9".encode("latin-1"))
    with pytest.raises(BadInput, match=r"owcl.toml: not valid TOML: 'utf-8' codec can't decode byte 0xe9"):
        Configuration.read(tmp_path / "owcl.toml")


def test_an_image_as_large_as_may_be_asked_for_is_read() -> None:
    largest = FacesConfiguration(largest_megapixels=178).largest_megapixels
    assert Image.MAX_IMAGE_PIXELS is not None
    assert largest * 1e6 < 2 * Image.MAX_IMAGE_PIXELS
