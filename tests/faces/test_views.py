from __future__ import annotations

import torch

from owcl.faces.views import LARGEST_SHIFT, strong_view, to_float, weak_view


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
