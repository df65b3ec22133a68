"""What tests share: a source of randomness and the real images, where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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
