"""What the measuring of accuracy makes of faces that cannot be read."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from owcl.engine import evaluate
from owcl.engine.workspace import Workspace
from owcl.errors import BadInput
from tests.conftest import SmallWorld, render


def test_test_faces_that_cannot_be_read_are_counted_and_without_any_nothing_is_measured(
    small_world: SmallWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for method in ("real", "sub_pixel"):
        (tmp_path / method).mkdir()
        (tmp_path / method / "torn.png").write_bytes(b"no image")
    with Workspace.open(small_world.workspace) as workspace, caplog.at_level(logging.WARNING):
        with pytest.raises(BadInput, match="none of its 2 images can be read"):
            evaluate.evaluate(workspace, tmp_path)
        render(tmp_path / "real", "real", range(3))
        assert np.isfinite(evaluate.evaluate(workspace, tmp_path)["acc_known"])
    assert "2 of 5 test faces cannot be read, and are left out" in caplog.text
