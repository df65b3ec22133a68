"""What is made of remembered faces before a learner sees them."""

from __future__ import annotations

import numpy as np

from owcl.engine.memory import OPERATOR_REPEATS, operators_repeated
from owcl.memory.replay import LABELLED, OPERATOR_LABELLED, PSEUDO_LABELLED, Exemplars


def test_a_face_on_an_operators_word_takes_part_more_often_than_others_of_its_class() -> None:
    origins = np.array([LABELLED, OPERATOR_LABELLED, PSEUDO_LABELLED], np.int8)
    images = np.arange(3, dtype=np.uint8)[:, None, None, None]
    part = Exemplars(np.array([11, 12, 13]), images, np.array([1, 2, 2]), np.ones(3, np.float32), origins)
    drawn = operators_repeated(part)
    assert drawn.face_ids.tolist() == [11, *[12] * OPERATOR_REPEATS, 13]
    assert drawn.images[:, 0, 0, 0].tolist() == [0, *[1] * OPERATOR_REPEATS, 2]
    assert OPERATOR_REPEATS > 1
