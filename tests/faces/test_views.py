from __future__ import annotations

import pytest
import torch

from owcl.faces.views import (
    LARGEST_SHIFT,
    cropped_view,
    jittered,
    mirrored_view,
    resampled_view,
    strong_view,
    to_float,
    weak_view,
)


def _images(count: int = 6) -> torch.Tensor:
    rng = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, 16, 16), dtype=torch.uint8, generator=rng)


def test_pixels_are_scaled_to_minus_one_and_one() -> None:
    assert to_float(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]


def test_a_weak_view_only_mirrors_and_moves_whole_pixels() -> None:
    images = _images()
    viewed = weak_view(images, torch.Generator().manual_seed(2))
    inner = slice(LARGEST_SHIFT, 16 - LARGEST_SHIFT)
    for before, after in zip(images, viewed, strict=True):
        centre = after[:, inner, inner]
        windows = [
            candidate[:, top : top + centre.shape[1], left : left + centre.shape[2]]
            for candidate in (before, before.flip(2))
            for top in range(2 * LARGEST_SHIFT + 1)
            for left in range(2 * LARGEST_SHIFT + 1)
        ]
        assert any(torch.equal(centre, window) for window in windows)


def test_views_are_drawn_anew_and_repeat_with_the_seed() -> None:
    rng = torch.Generator().manual_seed(3)
    first, second = weak_view(_images(), rng), weak_view(_images(), rng)
    assert not torch.equal(first, second)
    assert torch.equal(first, weak_view(_images(), torch.Generator().manual_seed(3)))


def test_a_strong_view_hides_a_quarter_of_each_side_and_stays_in_range() -> None:
    grey = torch.full((4, 3, 16, 16), 250, dtype=torch.uint8)
    viewed = strong_view(grey, torch.Generator().manual_seed(4))
    hidden = (viewed == 128).all(dim=1)
    assert hidden.sum(dim=(1, 2)).tolist() == [16] * 4


def test_a_mirrored_view_does_nothing_else_at_even_odds() -> None:
    images = _images(400)
    viewed = mirrored_view(images, torch.Generator().manual_seed(5))
    same = (viewed == images).flatten(1).all(dim=1)
    mirrored = (viewed == images.flip(3)).flatten(1).all(dim=1)
    assert bool((same | mirrored).all())
    assert same.float().mean().item() == pytest.approx(0.5, abs=0.1)


def test_a_published_view_crops_one_face_in_five_and_recolours_one_in_five() -> None:
    # Columns, rows and a constant as the channels: slopes tell the crop, the constant tells the colours.
    rise = torch.arange(32).expand(32, 32) * 7
    images = torch.stack([rise, rise.T, torch.full((32, 32), 128)]).to(torch.uint8).expand(2000, 3, 32, 32)
    viewed = cropped_view(images, torch.Generator().manual_seed(6)).float()
    plain = (viewed[:, 2] == 128).flatten(1).all(dim=1)
    assert plain.float().mean().item() == pytest.approx(0.8, abs=0.04)
    width = (viewed[plain, 0, :, 4:28].diff(dim=2) / 7).mean(dim=(1, 2)).abs()
    height = (viewed[plain, 1, 4:28].diff(dim=1) / 7).mean(dim=(1, 2))
    cropped = width * height < 0.99
    assert cropped.float().mean().item() == pytest.approx(0.2, abs=0.04)
    area, ratio = (width * height)[cropped], (width / height)[cropped]
    assert 0.48 < area.min() < 0.55
    assert 0.73 < ratio.min() < 0.8
    assert 1.25 < ratio.max() < 1.37


def test_a_resampled_view_passes_every_face_through_a_larger_size() -> None:
    images = _images(400)
    viewed = resampled_view(images, torch.Generator().manual_seed(7))
    assert not (viewed == images).flatten(1).all(dim=1).any()
    # Noise loses a good part of its detail, and a plain face nothing unless its brightness changes.
    assert viewed.float().var() < 0.7 * images.float().var()
    grey = torch.full((400, 3, 16, 16), 100, dtype=torch.uint8)
    levels = resampled_view(grey, torch.Generator().manual_seed(7)).float().mean(dim=(1, 2, 3))
    assert (levels == 100).float().mean().item() == pytest.approx(0.8, abs=0.06)
    assert 60 <= levels.min() < 70
    assert 130 < levels.max() <= 140


@pytest.mark.parametrize(("first", "expected"), [("brightness", [0.55, 0.85]), ("contrast", [0.6, 1.0])])
def test_brightness_and_contrast_clip_one_after_the_other(first: str, expected: list[float]) -> None:
    # Brightness first: 0.4 and 1.2, clipped to 1, whose mean is 0.7. Contrast first: 0.3 and 0.5.
    pixels = torch.tensor([0.2, 0.6]).expand(1, 3, 1, 2)
    found = jittered(pixels, torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), 0.5), first)
    assert found[0, 1, 0].tolist() == pytest.approx(expected)
