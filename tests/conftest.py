"""What tests share: a source of randomness and the real images, where they are."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

NEW = "transposed_convolution"
"""The method that arrives in the small world."""
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2026)


@pytest.fixture(scope="session")
def forge64() -> Path:
    """Real photographs and ten small generators, as a `folder` scenario."""
    folder = SHARED / "data" / "forge64"
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}: place the shared folder beside the repository")
    return folder


@pytest.fixture(scope="session")
def portraits() -> Path:
    """Colour portraits, one face each."""
    folder = SHARED / "data" / "portraits"
    if not folder.is_dir():
        pytest.skip(f"no portraits at {folder}: place the shared folder beside the repository")
    return folder


@dataclass(frozen=True)
class SmallWorld:
    """A trained workspace on three easy methods, and what arrives afterwards; tests work on copies."""

    workspace: Path
    arriving: Path
    """90 faces of a new method among 40 of known ones."""
    quiet: Path
    """60 faces of known methods."""
    test: Path
    """30 faces of each method, in folders."""

    def copy(self, place: Path) -> Path:
        """Return a copy of the workspace."""
        return Path(shutil.copytree(self.workspace, place / "workspace"))


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    from owcl.config import (
        Configuration,
        FacesConfiguration,
        MemoryConfiguration,
        NoveltyConfiguration,
        TrainingConfiguration,
    )
    from owcl.engine.train import train
    from owcl.engine.workspace import Workspace

    root = tmp_path_factory.mktemp("small-world")
    for method in ("real", "sub_pixel", "nearest_neighbour"):
        render(root / "known" / method, method, range(80))
        render(root / "arriving", method, range(80, 93))
        render(root / "quiet", method, range(93, 113))
        render(root / "test" / method, method, range(113, 143))
    render(root / "arriving", NEW, range(90))
    render(root / "test" / NEW, NEW, range(90, 120))
    settings = Configuration(
        faces=FacesConfiguration(image_size=48),
        training=TrainingConfiguration(
            first_steps=100, pretext_faces=0, arrival_steps=24, update_steps=20, refine_steps=5
        ),
        memory=MemoryConfiguration(per_class=40),
        novelty=NoveltyConfiguration(smallest_class=20),
    )
    with Workspace.create(root / "workspace", settings) as workspace:
        train(workspace, root / "known")
    return SmallWorld(root / "workspace", root / "arriving", root / "quiet", root / "test")


def render(folder: Path, method: str, numbers: Iterable[int]) -> None:
    from PIL import Image

    from scenarios.rendered.build import RenderedFaces
    from scenarios.tree import Order

    folder.mkdir(parents=True, exist_ok=True)
    make = RenderedFaces(seed=7, size=48)
    for number in numbers:
        Image.fromarray(make(Order(method, number, ""))).save(folder / f"{method}-{number:03d}.png")
