"""A cluster that needs ten experiences to gather is an arrival only if known faces would not give as many."""

from __future__ import annotations

import numpy as np
import pytest

from owcl.novelty.gathering import IMPROBABLE, Gathering, Incoming, gathered_by_chance
from owcl.novelty.promotion import judge


def cloud(count: int, shift: float, rng: np.random.Generator) -> np.ndarray:
    return (rng.normal(size=(count, 6)) + shift).astype(np.float32)


def each(experiences: int, faces: int) -> np.ndarray:
    return np.repeat(np.arange(1, experiences + 1), faces)


def of_one_class(experiences: np.ndarray) -> Incoming:
    return Incoming(experiences, np.ones(len(experiences), np.int64))


def judged(
    came: np.ndarray, everyone: np.ndarray, held_out: np.ndarray, rng: np.random.Generator
) -> Gathering:
    """What is said of a cluster far from most held-out faces, all of which look like class 1."""
    return gathered_by_chance(
        cloud(len(came), 5, rng),
        of_one_class(came),
        of_one_class(everyone),
        held_out,
        np.ones(len(held_out), np.int64),
        rng,
    )


def test_two_rates_are_compared_with_one_by_a_bayes_factor(rng: np.random.Generator) -> None:
    gathering = judged(each(1, 20), each(1, 20), cloud(20, 0, rng), rng)
    # Fifteen typical ones of 20 that came in and none of 20 held out, as products of the priors' rising
    # factorials: ½⋯29/2 · ½⋯9/2 / 20! for the one side, ½⋯39/2 / 20! for the other, and both together.
    came = np.prod(np.arange(15) + 0.5) * np.prod(np.arange(5) + 0.5) / np.prod(np.arange(20) + 1.0)
    held = np.prod(np.arange(20) + 0.5) / np.prod(np.arange(20) + 1.0)
    both = np.prod(np.arange(15) + 0.5) * np.prod(np.arange(25) + 0.5) / np.prod(np.arange(40) + 1.0)
    assert gathering.p_value == pytest.approx(both / (came * held))
    assert gathering.alike == 0


@pytest.mark.parametrize("seed", range(10))
def test_outliers_of_the_known_gather_no_faster_than_among_held_out_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    held_out = np.concatenate([cloud(980, 0, rng), cloud(20, 5, rng)])
    came = np.repeat(np.arange(1, 11), rng.binomial(500, 0.01, 10))
    assert judged(came, each(10, 500), held_out, rng).p_value > IMPROBABLE


def test_a_trickle_of_which_known_faces_have_none_is_an_arrival(rng: np.random.Generator) -> None:
    assert judged(each(4, 10), each(4, 208), cloud(300, 0, rng), rng).p_value < IMPROBABLE


def test_looking_again_does_not_weaken_the_evidence(rng: np.random.Generator) -> None:
    early, late = (
        judged(each(length, 12), each(length, 200), cloud(300, 0, rng), rng).p_value for length in (3, 20)
    )
    assert late < early < IMPROBABLE


def test_a_stray_of_long_ago_does_not_hide_an_arrival(rng: np.random.Generator) -> None:
    came = np.concatenate([[1], np.repeat([20, 21], 15)])
    assert judged(came, each(21, 300), cloud(300, 0, rng), rng).p_value < IMPROBABLE


@pytest.mark.parametrize("seed", range(5))
def test_outliers_of_a_class_that_is_most_of_the_stream_are_no_arrival(seed: int) -> None:
    """Nine in ten faces that come in are of class 1, and only one in ten of the held-out ones."""
    rng = np.random.default_rng(seed)
    held_out, spread = cloud(1000, 0, rng), each(10, 100)
    came = np.repeat(np.arange(1, 11), rng.binomial(450, 0.02, 10))
    members = cloud(len(came), 5, rng)
    mostly_first, even = np.where(np.arange(5000) % 10, 1, 2), np.arange(5000) % 10 + 1
    no_arrival, arrival = (
        gathered_by_chance(
            members,
            of_one_class(came),
            Incoming(each(10, 500), class_ids),
            held_out,
            spread,
            np.random.default_rng(0),
        )
        for class_ids in (mostly_first, even)
    )
    assert no_arrival.p_value > IMPROBABLE > arrival.p_value


@pytest.mark.parametrize(("alike", "passed", "p_value"), [(250, 100_000, 1.0), (0, 2_000, 0.0)])
def test_counts_beyond_all_doubt_are_no_trouble(
    alike: int, passed: int, p_value: float, rng: np.random.Generator
) -> None:
    """Either so many held-out faces are like the cluster, or so many came in and none is."""
    held_out = np.concatenate([cloud(1000 - alike, 0, rng), cloud(alike, 5, rng)])
    came = np.ones(40 if alike else 2_000, np.int64)
    assert judged(came, np.ones(passed, np.int64), held_out, rng).p_value == p_value


def test_too_few_held_out_faces_vouch_for_nothing(rng: np.random.Generator) -> None:
    assert judged(each(3, 10), each(3, 60), cloud(19, 0, rng), rng) == Gathering(1.0, 0)


@pytest.mark.parametrize(("alike", "said"), [(3, "no faster"), (0, "too few known faces are held out")])
def test_what_gathered_by_chance_waits_for_more(alike: int, said: str, rng: np.random.Generator) -> None:
    by_chance = Gathering(0.4, alike)
    promotion = judge(
        cloud(60, 2, rng), np.arange(60), np.full(60, 0.01), 1.0, {}, 30, rng, gathered=by_chance
    )
    assert not promotion.accepted
    assert promotion.lacks_only_faces
    assert said in promotion.reasons[0]
    assert promotion.evidence["p_value_of_gathering"] == 0.4


def test_what_gathered_too_fast_for_known_faces_is_a_class(rng: np.random.Generator) -> None:
    improbable = Gathering(0.004, 0)
    assert judge(
        cloud(60, 2, rng), np.arange(60), np.full(60, 0.01), 1.0, {}, 30, rng, gathered=improbable
    ).accepted
