"""A class is judged by what had come in when it was promoted."""

from __future__ import annotations

import pytest

from owcl.evaluation.discovery import discoveries

METHOD, OTHER = 2, 0
TANGLED, CLEAN = 7, 8


@pytest.mark.parametrize(("when_clean_was_born", "found"), [(150, {METHOD}), (400, set())])
def test_each_class_is_asked_for_half_of_the_faces_that_were_there_at_its_own_birth(
    when_clean_was_born: int, found: set[int]
) -> None:
    members = {TANGLED: {METHOD: 18, OTHER: 12}, CLEAN: {METHOD: 90, OTHER: 5}}
    at_birth = {TANGLED: {METHOD: 20}, CLEAN: {METHOD: when_clean_was_born}}
    assert discoveries(members, {METHOD: 400}, at_birth).discovered == found
