from __future__ import annotations

import pytest
import torch
from torch.nn import BatchNorm1d, functional
from torch.testing import assert_close

from owcl.errors import BadInput
from owcl.learners.similarity import (
    detail_similarity,
    global_similarity,
    haar_details,
    local_similarity,
    patch_pool,
    standardise,
)


@pytest.fixture
def patches() -> torch.Tensor:
    return torch.randn(7, 5, 9, generator=torch.Generator().manual_seed(1))


def test_local_similarity_agrees_with_the_formula_written_out(patches: torch.Tensor) -> None:
    weights = patches.norm(dim=1) / patches.norm(dim=1).square().sum(dim=1, keepdim=True).sqrt()
    cosines = functional.cosine_similarity(patches[:, None], patches[None, :], dim=2)
    assert_close(local_similarity(patches), (weights[:, None] * cosines).sum(dim=2))


def test_an_image_sees_itself_best_and_within_bounds(patches: torch.Tensor) -> None:
    similarity = local_similarity(patches)
    assert similarity.argmax(dim=1).tolist() == list(range(7))
    assert ((similarity.diagonal() >= 1) & (similarity.diagonal() <= 3)).all()


def test_detail_similarity_of_an_image_to_itself_is_the_number_of_places() -> None:
    details = haar_details(torch.randn(3, 4, 8, 8))
    similarity = detail_similarity(details[0])
    assert_close(similarity.diagonal(), torch.full((3,), 16.0))
    assert_close(similarity, similarity.T)


def test_dead_patches_are_like_nothing(patches: torch.Tensor) -> None:
    patches[2] = 0
    assert (local_similarity(patches)[2] == 0).all()
    assert (local_similarity(patches)[:, 2] == 0).all()
    assert (global_similarity(patches[:, :, 0])[2] == 0).all()


def test_standardising_is_batch_normalisation_at_each_place(patches: torch.Tensor) -> None:
    reference = BatchNorm1d(5 * 9)(patches.flatten(1)).detach()
    assert_close(standardise(patches).flatten(1), reference, atol=1e-5, rtol=1e-5)


def test_one_image_standardises_to_nothing() -> None:
    assert (standardise(torch.ones(1, 3)) == 0).all()


def test_pooling_without_overlap_is_the_usual_one() -> None:
    feature_map = torch.randn(2, 3, 6, 9)
    assert_close(patch_pool(feature_map, 3), functional.adaptive_avg_pool2d(feature_map, 3).flatten(2))


def test_similarities_are_float32_under_mixed_precision(patches: torch.Tensor) -> None:
    expected = local_similarity(patches)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_close(local_similarity(patches), expected, atol=0, rtol=0)


@pytest.mark.parametrize("cells", [0, 4])
def test_more_cells_than_pixels_are_refused(cells: int) -> None:
    with pytest.raises(BadInput, match=f"{cells} cells a side on a feature map of 3 x 5"):
        patch_pool(torch.zeros(1, 1, 3, 5), cells)


def test_odd_maps_have_no_haar_details() -> None:
    with pytest.raises(BadInput, match=r"7 x 8\. Even sides are expected"):
        haar_details(torch.zeros(1, 1, 7, 8))
