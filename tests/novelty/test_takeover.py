"""What discovered classes may take from labelled ones."""

from __future__ import annotations

import numpy as np
import pytest

from owcl.novelty.takeover import handicap_with_few_errors, handicaps_within_budget


@pytest.mark.parametrize("classes", [1, 3, 8])
def test_all_guesses_together_keep_to_the_budget(classes: int, rng: np.random.Generator) -> None:
    leads = rng.normal(size=(400, classes))
    taken = (leads > handicaps_within_budget(leads, 0.05)).any(axis=1).mean()
    assert 0.02 <= taken <= 0.05


def test_a_class_that_lies_elsewhere_needs_no_handicap() -> None:
    assert handicaps_within_budget(np.array([[-0.5], [-0.4]]), 0.015).tolist() == [0.0]
    assert handicap_with_few_errors(np.array([-0.5, -0.4]), np.array([0.6, 0.7])) == 0.0


def test_others_are_spared_as_long_as_errors_are_hardly_more_than_the_fewest(
    rng: np.random.Generator,
) -> None:
    theirs, its_own = rng.normal(-0.5, 0.5, 300), rng.normal(0.3, 0.5, 60)

    def errors(handicap: float) -> int:
        return int((theirs > handicap).sum() + (its_own <= handicap).sum())

    tried = [0.0, *theirs[theirs > 0].tolist()]
    fewest = min(map(errors, tried))
    chosen = handicap_with_few_errors(theirs, its_own)
    assert errors(chosen) <= fewest + fewest**0.5
    assert all(errors(larger) > fewest + fewest**0.5 for larger in tried if larger > chosen)


def test_a_class_without_held_out_faces_takes_over_none() -> None:
    assert handicap_with_few_errors(np.array([0.5, 0.2]), np.empty(0)) == 0.5
