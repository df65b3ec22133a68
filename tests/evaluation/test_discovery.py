"""A class is judged by what had come in when it was promoted, and a method by how long that took."""

from __future__ import annotations

import math

import pytest

from owcl.evaluation.discovery import Latency, discoveries, latency, latency_summary

METHOD, OTHER = 2, 0
TANGLED, CLEAN = 7, 8


@pytest.mark.parametrize(("when_clean_was_born", "found"), [(150, {METHOD}), (400, set())])
def test_each_class_is_asked_for_half_of_the_faces_that_were_there_at_its_own_birth(
    when_clean_was_born: int, found: set[int]
) -> None:
    members = {TANGLED: {METHOD: 18, OTHER: 12}, CLEAN: {METHOD: 90, OTHER: 5}}
    at_birth = {TANGLED: {METHOD: 20}, CLEAN: {METHOD: when_clean_was_born}}
    assert discoveries(members, {METHOD: 400}, at_birth).discovered == found


def test_the_median_is_infinite_where_more_than_half_were_never_discovered() -> None:
    # 20 faces came before the discovery in the third experience and 30 with it.
    soon, never = latency([0, 20, 30, 40], 2), latency([5, 5, 5, 5], None)
    assert soon == Latency(50, 1)
    half, most = latency_summary([never, soon]), latency_summary([never, soon, never])
    assert (half["median_faces"], half["median_experiences"], half["within_one"]) == (50, 1, 0.5)
    assert (most["median_faces"], most["median_experiences"]) == (math.inf, math.inf)
