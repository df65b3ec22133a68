"""Multi-perspective sensory learning by numbers: what examples 3, 8, 9 and 10 say beyond those of CPL."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from owcl.evaluation.accuracy import match
from owcl.evaluation.agreement import agreement
from owcl.learners import voting
from owcl.learners.pseudo_labels import csp_loss
from owcl.learners.similarity import haar_details, local_similarity, patch_pool, patch_similarity, standardise

# Example 8a, the novel faces and the joint matching

LABELS = np.repeat([0, 1, 2, 3], 4)
PREDICTIONS = np.array([0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 3])


def test_novel_faces_agree_better_than_all() -> None:
    found = agreement(LABELS[8:], PREDICTIONS[8:])
    assert found["nmi"] == pytest.approx(0.831380, abs=1e-5)
    assert found["ari"] == pytest.approx(0.774194, abs=1e-5)


def test_novel_faces_pay_for_known_outputs_under_the_joint_matching() -> None:
    stands_for = match(LABELS, PREDICTIONS)
    right = [stands_for[output] == label for output, label in zip(PREDICTIONS[8:], LABELS[8:], strict=True)]
    assert np.mean(right) == 0.625


# Example 9, a whole map


def test_a_ramp_has_the_same_details_everywhere() -> None:
    details = haar_details(torch.arange(64.0).reshape(1, 1, 8, 8))
    # In the block (0 1; 8 9): (0 + 1 - 8 - 9) / 2, (0 - 1 + 8 - 9) / 2, and no diagonal.
    assert_close(details[:, 0, 0], tensor([[-8.0], [-1.0], [0.0]]).expand(3, 16))


# Example 1 into example 2: a scale is pooled, standardised, compared


@pytest.mark.parametrize(("cells", "places"), [(3, 9), (5, 25), (7, 49)])
def test_every_scale_compares_its_own_places(cells: int, places: int) -> None:
    maps = torch.randn(6, 4, 8, 8, generator=torch.Generator().manual_seed(cells))
    pooled = patch_pool(maps, cells)
    assert pooled.shape[2] == places
    assert_close(patch_similarity(maps, cells), local_similarity(standardise(pooled)))


# Example 10, and what becomes of it

BANDS = tensor([[0, 1, 0], [0, 0, 0], [1, 1, 0], [0, 0, 0]], dtype=torch.bool).T
SCALES = tensor([[0, 0, 0], [0, 0, 1], [0, 1, 1], [0, 0, 0]], dtype=torch.bool).T


def test_pairs_need_the_intersection() -> None:
    _, intersection = voting.multi_perception(BANDS, SCALES)
    labels, neighbours = torch.full((4,), -1), tensor([2, 3, 0, 1])
    assert voting.partners(labels, neighbours, intersection, torch.rand(4, 4)).tolist() == [0, 1, 0, 3]


@pytest.mark.parametrize(("selector", "taking_part"), [("union", 3), ("intersection", 1)])
def test_pseudo_labels_are_gated_by_the_selector(selector: str, taking_part: int) -> None:
    union, intersection = voting.multi_perception(BANDS, SCALES)
    votes = union if selector == "union" else intersection
    # Example 5's first row four times: each image that takes part adds 0.615148, the mean is over four.
    logits, noise = _repeated([2.0, 1.0, 0.0]), _repeated([0.1, 0.9, -0.4])
    expected = tensor(0.615148 * taking_part / 4)
    assert_close(csp_loss(logits, votes, noise), expected, atol=1e-5, rtol=0)


def _repeated(row: list[float]) -> Tensor:
    return tensor([row]).repeat(4, 1)
