"""What keeps discovered classes from taking the faces of labelled ones, and what is stored of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from owcl.engine.answer import Answer, Calibration, Doubt
from owcl.memory.replay import Exemplars
from owcl.models.backbones import FORENSIC, build_backbone
from owcl.models.checkpoint import read_tensors, write_tensors
from owcl.models.network import Network
from owcl.novelty.shift import ShiftTest
from owcl.types import UNKNOWN, ModelVersion

LABELLED, ANOTHER, DISCOVERED = 1, 2, 7
RATE = 0.02


def _faces(brightness: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Faces of two classes that overlap: they differ in their mean brightness, by less than it varies."""
    levels = rng.normal(brightness, 30, (80, 1, 1, 1))
    return np.clip(levels + rng.normal(0, 5, (80, 3, 16, 16)), 0, 255).astype(np.uint8)


@pytest.fixture
def material(rng: np.random.Generator) -> tuple[Exemplars, Calibration]:
    sets = [np.concatenate([_faces(100, rng), _faces(140, rng)]) for _ in range(2)]
    class_ids = np.repeat([LABELLED, DISCOVERED], 80)
    remembered = Exemplars(
        np.arange(160), sets[0], class_ids, np.ones(160, np.float32), np.zeros(160, np.int8)
    )
    return remembered, Calibration(sets[1], class_ids)


def _fitted(material: tuple[Exemplars, Calibration], vouched: frozenset[int] = frozenset()) -> Answer:
    torch.manual_seed(0)
    network = Network(build_backbone(), 2).eval()
    labelled = frozenset({LABELLED, ANOTHER})
    doubt = Doubt(0.01, RATE, "neighbours")
    return Answer.fit(network, (LABELLED, DISCOVERED), *material, labelled, doubt, vouched)


def _lost(answer: Answer, calibration: Calibration) -> tuple[float, float]:
    """Return the shares of labelled faces that go over, and of discovered ones that do not."""
    vectors = answer.embed(np.arange(160), calibration.images).vectors
    said = answer.class_ids[answer.scores(vectors).argmax(axis=1)]
    ours = calibration.class_ids == LABELLED
    return float((said[ours] != LABELLED).mean()), float((said[~ours] != DISCOVERED).mean())


def test_a_guess_may_take_few_faces_and_a_class_that_is_vouched_for_a_fair_share(
    material: tuple[Exemplars, Calibration],
) -> None:
    guess = _fitted(material)
    vouched = _fitted(material, frozenset({DISCOVERED}))
    assert guess.handicaps[DISCOVERED] > vouched.handicaps[DISCOVERED]
    (taken, missed), (taken_then, missed_then) = (_lost(one, material[1]) for one in (guess, vouched))
    assert taken <= RATE < taken_then
    assert taken + missed > taken_then + missed_then


def test_a_face_that_would_go_to_a_wrong_class_anyway_is_not_lost_to_a_discovered_one(
    material: tuple[Exemplars, Calibration], rng: np.random.Generator
) -> None:
    remembered, calibration = material
    without_red = _faces(100, rng)
    without_red[:, 0] = 0
    remembered = Exemplars(
        np.arange(240),
        np.concatenate([remembered.images, without_red]),
        np.append(remembered.class_ids, np.full(80, ANOTHER)),
        np.ones(240, np.float32),
        np.zeros(240, np.int8),
    )
    # They have all colours, as the other labelled class has, and are as bright as the discovered one.
    others = Calibration(
        np.concatenate([calibration.images, _faces(140, rng)]),
        np.append(calibration.class_ids, np.full(80, ANOTHER)),
    )
    with_others, without = (_fitted((remembered, held_out)) for held_out in (others, calibration))
    assert with_others.handicaps[DISCOVERED] <= without.handicaps[DISCOVERED]


def test_the_rate_that_was_asked_for_is_kept_where_enough_faces_calibrate(
    material: tuple[Exemplars, Calibration],
) -> None:
    answer = _fitted(material)
    assert answer.kept_rate == 0.01
    answer.doubts = answer.doubts[:98]
    assert answer.kept_rate == 1 / 99


def test_a_class_that_was_not_learned_answers_for_a_learned_one_that_was_merged_into_it(
    material: tuple[Exemplars, Calibration],
) -> None:
    answer, images = _fitted(material), material[1].images
    before = answer.attribute(answer.embed(np.arange(160), images))
    answer.follow({DISCOVERED: 9})
    after = answer.attribute(answer.embed(np.arange(160), images))
    expected = np.where(before.class_ids == DISCOVERED, 9, before.class_ids)
    assert (expected == 9).any()
    np.testing.assert_array_equal(after.class_ids, expected)
    np.testing.assert_allclose(after.probabilities, before.probabilities)


def test_a_model_that_was_stored_without_what_it_keeps_today_answers_all_the_same(
    material: tuple[Exemplars, Calibration], tmp_path: Path
) -> None:
    answer, path = _fitted(material), tmp_path / "model.safetensors"
    answer.save(path, {"backbone": FORENSIC})
    version = ModelVersion(1, None, str(path), {}, (LABELLED, DISCOVERED))
    stored = Answer.load(path, version)
    np.testing.assert_array_equal(stored.held_out, answer.held_out)
    np.testing.assert_array_equal(stored.exemplar_faces, material[0].face_ids)
    tensors, description = read_tensors(path)
    del tensors["arrays.held_out"], tensors["arrays.exemplar_faces"]
    write_tensors(path, tensors, description)
    earlier = Answer.load(path, version)
    assert (earlier.exemplar_faces == UNKNOWN).all()
    images = material[1].images
    np.testing.assert_array_equal(
        earlier.attribute(earlier.embed(np.arange(160), images)).p_values,
        stored.attribute(stored.embed(np.arange(160), images)).p_values,
    )
    test = ShiftTest(earlier.held_out, earlier.taken_for(earlier.held_out))
    assert test.first(-answer.held_out, answer.taken_for(answer.held_out)) is None
