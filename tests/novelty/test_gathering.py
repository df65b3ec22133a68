"""A cluster that needs ten experiences to gather is an arrival only if known faces would not give as many."""

from __future__ import annotations

import numpy as np
import pytest

from owcl.novelty.gathering import IMPROBABLE, gathered_by_chance
from owcl.novelty.promotion import judge


def cloud(count: int, shift: float, rng: np.random.Generator) -> np.ndarray:
    return (rng.normal(size=(count, 6)) + shift).astype(np.float32)


def test_a_rate_is_compared_by_fishers_exact_test(rng: np.random.Generator) -> None:
    came = np.repeat(1, 20)
    p_value = gathered_by_chance(cloud(20, 9, rng), came, {1: 40}, cloud(20, 0, rng), 1, rng)
    # Fifteen typical ones of 40 that came in and none of 20 held out: C(40, 15) / C(60, 15).
    assert p_value == pytest.approx(40_225_345_056 / 53_194_089_192_720)


@pytest.mark.parametrize("seed", range(10))
def test_outliers_of_the_known_gather_no_faster_than_among_held_out_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    held_out = np.concatenate([cloud(980, 0, rng), cloud(20, 5, rng)])
    came = np.repeat(np.arange(1, 11), rng.binomial(500, 0.01, 10))
    p_value = gathered_by_chance(
        cloud(len(came), 5, rng), came, dict.fromkeys(range(1, 11), 500), held_out, 1, rng
    )
    assert p_value > IMPROBABLE


def test_a_trickle_of_which_known_faces_have_none_is_an_arrival(rng: np.random.Generator) -> None:
    came = np.repeat([1, 2, 3, 4], 10)
    ingested = dict.fromkeys(range(1, 5), 208)
    assert gathered_by_chance(cloud(40, 5, rng), came, ingested, cloud(300, 0, rng), 1, rng) < IMPROBABLE


def test_a_stray_of_long_ago_does_not_hide_an_arrival(rng: np.random.Generator) -> None:
    came = np.concatenate([[1], np.repeat([20, 21], 15)])
    ingested = dict.fromkeys(range(1, 22), 300)
    assert gathered_by_chance(cloud(31, 5, rng), came, ingested, cloud(300, 0, rng), 1, rng) < IMPROBABLE


def test_every_look_is_another_chance(rng: np.random.Generator) -> None:
    came, known, members = np.repeat(1, 20), cloud(20, 0, rng), cloud(20, 9, rng)
    once, often = (
        gathered_by_chance(members, came, {1: 40}, known, looks, np.random.default_rng(0)) for looks in (1, 5)
    )
    assert often == pytest.approx(5 * once)


def test_too_few_held_out_faces_vouch_for_nothing(rng: np.random.Generator) -> None:
    assert gathered_by_chance(cloud(30, 5, rng), np.ones(30, int), {1: 60}, cloud(19, 0, rng), 1, rng) == 1


def test_what_gathered_by_chance_waits_for_more(rng: np.random.Generator) -> None:
    promotion = judge(cloud(60, 2, rng), 60, np.full(60, 0.01), 1.0, {}, 30, rng, gathered=0.4)
    assert not promotion.accepted
    assert promotion.lacks_only_faces
    assert "no faster" in promotion.reasons[0]
    assert promotion.evidence["p_value_of_gathering"] == 0.4
    assert judge(cloud(60, 2, rng), 60, np.full(60, 0.01), 1.0, {}, 30, rng, gathered=0.004).accepted
