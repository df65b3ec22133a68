from __future__ import annotations

import numpy as np
import pytest

from owcl.errors import BadInput
from owcl.novelty.calibration import (
    conformal_p_values,
    conformal_threshold,
    realised_rate_range,
    select_arrivals,
)


def test_the_stated_false_alarm_rate_holds_over_many_calibration_sets(rng: np.random.Generator) -> None:
    rates = []
    for _ in range(300):
        threshold = conformal_threshold(rng.normal(size=200), 0.05)
        rates.append((rng.normal(size=2000) > threshold).mean())
    low, high = realised_rate_range(200, 0.05)
    # 95 % of calibration sets lie in the range, give or take the noise of 2,000 faces each.
    assert np.mean([low <= rate <= high for rate in rates]) > 0.85
    assert np.mean(rates) == pytest.approx(0.05, abs=0.005)


def test_p_values_of_known_faces_are_nearly_uniform(rng: np.random.Generator) -> None:
    p_values = conformal_p_values(rng.normal(size=1000), rng.normal(size=5000))
    assert np.quantile(p_values, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.04)


def test_an_empty_calibration_is_refused() -> None:
    with pytest.raises(BadInput, match="0 scores"):
        conformal_p_values(np.array([]), np.array([0.1]))


def test_a_nan_is_refused() -> None:
    with pytest.raises(BadInput, match="1 of them NaN"):
        conformal_p_values(np.array([0.1, np.nan]), np.array([0.1]))


def test_hardly_any_known_face_is_chosen_when_nothing_arrived(rng: np.random.Generator) -> None:
    chosen = [
        select_arrivals(conformal_p_values(rng.normal(size=250), rng.normal(size=300)), 0.1).chosen.mean()
        for _ in range(200)
    ]
    assert np.mean(chosen) < 0.02


def test_the_share_of_known_faces_among_the_chosen_keeps_to_the_rate(rng: np.random.Generator) -> None:
    shares, found = [], []
    for _ in range(200):
        scores = np.concatenate([rng.normal(size=100), rng.normal(2.5, size=300)])
        chosen = select_arrivals(conformal_p_values(rng.normal(size=250), scores), 0.1).chosen
        shares.append(chosen[:100].sum() / max(chosen.sum(), 1))
        found.append(chosen[100:].mean())
    assert np.mean(shares) < 0.11
    assert np.mean(found) > 0.9


def test_the_order_of_faces_does_not_matter(rng: np.random.Generator) -> None:
    p_values = rng.uniform(size=50) ** 3
    order = rng.permutation(50)
    straight = select_arrivals(p_values, 0.2).chosen
    assert (select_arrivals(p_values[order], 0.2).chosen == straight[order]).all()


def test_no_face_gives_an_empty_choice() -> None:
    assert select_arrivals(np.empty(0), 0.1).chosen.shape == (0,)
