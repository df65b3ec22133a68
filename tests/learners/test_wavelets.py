"""Detail bands against the orthonormal Haar transform written as a matrix."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.testing import assert_close

from owcl.learners.similarity import detail_similarity, haar_details


def _maps() -> Tensor:
    return torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(2))


def _pairs(sign: int) -> np.ndarray:
    """Return the `(4, 8)` sums or differences of neighbours, of unit length."""
    return np.kron(np.eye(4), np.array([1.0, sign]) / np.sqrt(2))


def test_bands_are_those_of_the_haar_matrix() -> None:
    maps = _maps()
    sums, differences = _pairs(1), _pairs(-1)
    pairs = [(differences, sums), (sums, differences), (differences, differences)]
    expected = np.stack([rows @ maps.numpy() @ columns.T for rows, columns in pairs])
    assert_close(haar_details(maps), torch.from_numpy(expected).float().flatten(3))


def test_brightness_has_no_detail() -> None:
    maps = _maps()
    assert (haar_details(torch.full((2, 3, 8, 8), 7.0)) == 0).all()
    assert_close(haar_details(maps + 3), haar_details(maps), atol=1e-5, rtol=0)


def test_turning_a_map_exchanges_rows_and_columns() -> None:
    details = haar_details(_maps())
    turned = haar_details(_maps().transpose(2, 3)).reshape(3, 5, 3, 4, 4).transpose(3, 4).flatten(3)
    assert_close(turned, details[[1, 0, 2]])


def test_detail_similarity_agrees_with_the_formula_written_out() -> None:
    band = haar_details(_maps())[1].double().numpy()
    expected = np.zeros((5, 5))
    for first in range(5):
        for second in range(5):
            for place in range(16):
                a, b = band[first, :, place], band[second, :, place]
                expected[first, second] += a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert_close(detail_similarity(haar_details(_maps())[1]), torch.from_numpy(expected).float())


def test_a_place_without_detail_is_like_nothing() -> None:
    maps = _maps()
    maps[0] = 1.0
    similarity = detail_similarity(haar_details(maps)[0])
    assert (similarity[0] == 0).all()
    assert (similarity[:, 0] == 0).all()


def test_strength_of_a_detail_does_not_matter() -> None:
    details = haar_details(_maps())[2]
    assert_close(detail_similarity(details), detail_similarity(5 * details))
