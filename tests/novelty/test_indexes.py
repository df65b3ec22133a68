from __future__ import annotations

import faiss
import numpy as np
import pytest

from owcl.novelty.indexes import on_gpu


@pytest.mark.parametrize("kind", [faiss.IndexFlatL2, faiss.IndexFlatIP])
def test_wherever_an_index_is_it_finds_the_nearest(kind: type, rng: np.random.Generator) -> None:
    points = rng.standard_normal((50, 8)).astype(np.float32)
    index = on_gpu(kind(8))
    index.add(points)
    _, found = index.search(points, 2)
    nearness = points @ points.T
    if kind is faiss.IndexFlatL2:
        nearness = 2 * nearness - np.square(points).sum(axis=1)
    assert found.tolist() == np.argsort(-nearness, axis=1)[:, :2].tolist()
