"""The head start of peers: new outputs begin where no class is; and peers that are not told how many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from owcl.config import Configuration, TrainingConfiguration
from owcl.engine.baselines import BASELINES, PEERS, give_head_start
from owcl.engine.setting import Session, Setting, answers, grown
from owcl.engine.workspace import Workspace, silent
from owcl.learners.base import UNLABELLED
from owcl.learners.registry import first_outputs
from owcl.models.backbones import build_backbone
from owcl.models.network import Network

KNOWN, NEW = 2, 2


def textures(rng: np.random.Generator, kinds: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return 48-pixel images of four kinds that any network tells apart: noise of four grains."""
    grains = [1, 2, 4, 8]
    images = [
        rng.integers(0, 256, (3, 48 // grains[kind], 48 // grains[kind]))
        .repeat(grains[kind], 1)
        .repeat(grains[kind], 2)
        for kind in kinds.tolist()
    ]
    return np.stack(images).astype(np.uint8)


@pytest.fixture
def teacher() -> Network:
    torch.manual_seed(0)
    network = Network(build_backbone("forensic_small"), KNOWN)
    network.train()
    with torch.no_grad():  # Normalisation has to have seen something.
        for _ in range(20):
            network(torch.rand(16, 3, 48, 48) * 2 - 1)
    return network.eval()


def test_new_faces_go_to_new_outputs_before_anything_is_learned(
    teacher: Network, rng: np.random.Generator
) -> None:
    kinds = np.repeat(np.arange(KNOWN + NEW), 30)
    images = textures(rng, kinds)
    labels = np.where(kinds < KNOWN, kinds, UNLABELLED)
    network, _ = grown(teacher, KNOWN + NEW, rng)
    before = network.head.weight.detach().clone()
    give_head_start(network, teacher, images, labels, rng)
    given = answers(network, images[kinds >= KNOWN])
    mostly = [np.bincount(part, minlength=KNOWN + NEW) / 30 for part in np.split(given, NEW)]
    assert {int(shares.argmax()) for shares in mostly} == {KNOWN, KNOWN + 1}
    assert min(shares.max() for shares in mostly) > 0.9
    assert torch.equal(network.head.weight[:KNOWN], before[:KNOWN])


def test_a_class_without_a_face_leaves_no_gap(teacher: Network, rng: np.random.Generator) -> None:
    kinds = np.repeat([0, 2, 3], 30)
    labels = np.where(kinds == 0, 0, UNLABELLED)
    network, _ = grown(teacher, KNOWN + NEW, rng)
    give_head_start(network, teacher, textures(rng, kinds), labels, rng)
    lengths = network.head.weight.norm(dim=1)
    assert torch.allclose(lengths[KNOWN:], lengths[:KNOWN].mean())


def test_where_nothing_is_new_the_head_stays(teacher: Network, rng: np.random.Generator) -> None:
    kinds = np.repeat(np.arange(KNOWN), 10)
    network, _ = grown(teacher, KNOWN, rng)
    give_head_start(network, teacher, textures(rng, kinds), kinds, rng)
    assert torch.equal(network.head.weight, teacher.head.weight)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    settings = Configuration(training=TrainingConfiguration(update_steps=2, refine_steps=1))
    with Workspace.create(tmp_path / "home", settings) as created:
        yield created


@pytest.fixture
def setting(teacher: Network, workspace: Workspace, rng: np.random.Generator) -> Setting:
    """Two known methods, and an experience of faces of them and of two others."""
    known, arriving = np.repeat(np.arange(KNOWN), 20), np.repeat(np.arange(KNOWN + NEW), 10)
    sessions = (
        Session(textures(rng, known), known, KNOWN),
        Session(textures(rng, arriving), arriving, KNOWN + NEW),
    )
    held_out = np.zeros(len(known), np.bool_)
    return Setting(workspace, teacher, sessions, held_out, textures(rng, arriving), KNOWN, silent)


@pytest.mark.parametrize("name", ["cal_uncounted", "cal_uncounted_official"])
def test_a_peer_that_is_not_told_the_number_answers_with_the_outputs_that_are_left(
    name: str, setting: Setting
) -> None:
    before, after = PEERS[name](setting)
    assert set(before.tolist()) <= {0, 1}
    assert len(after) == len(setting.test)
    assert after.max() < first_outputs("cal_uncounted", KNOWN, KNOWN + NEW) == 20
    assert setting.network.num_classes == KNOWN


@pytest.mark.parametrize(("name", "updates"), [("cpl_official", 1), ("happy", 1), ("supervised_bound", 4)])
def test_a_row_is_given_the_steps_that_owcl_learns_and_refines_in(
    name: str, updates: int, setting: Setting
) -> None:
    steps: list[int | None] = []
    told = replace(setting, report=lambda what, done, total: steps.append(total))
    list((BASELINES | PEERS)[name](told))
    assert steps == [3 * updates] * (3 * updates)
