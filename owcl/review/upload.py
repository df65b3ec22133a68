"""Images that an operator drops on the page: attributed, shown, and forgotten."""

from __future__ import annotations

import base64
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from owcl.engine.workspace import Workspace
from owcl.errors import BadInput
from owcl.review import pictures
from owcl.types import Quarantined

MOST = 20
"""Images of one upload."""
NEAREST = 8
"""Remembered faces shown beside each."""


@dataclass(frozen=True)
class Looked:
    """An image and what is thought of it."""

    name: str
    class_id: int
    attributed: str
    family: str | None
    probability: float
    p_value: float
    forged: float | None
    components: tuple[str, ...]
    pictures: dict[str, str]
    """Data addresses of the face, its residual, its spectrum, and where it was edited."""
    nearest: tuple[int, ...]
    """Remembered faces, the nearest first."""


async def looked_up(workspace: Workspace, form: FormData) -> tuple[list[Looked], list[Quarantined]]:
    """Attribute the images of a form.

    Raises:
        BadInput: if there is none, there are too many, or there is no model.
    """
    files = [file for file in form.getlist("images") if isinstance(file, UploadFile) and file.filename]
    if not 0 < len(files) <= MOST:
        raise BadInput(f"upload: from 1 to {MOST} images are expected. Choose some.")
    with tempfile.TemporaryDirectory(prefix="owcl-upload-") as folder:
        # What a browser calls a file is shown, but never a path.
        names = {}
        for number, file in enumerate(files):
            path = Path(folder) / f"{number:03d}.image"
            path.write_bytes(await file.read())
            names[str(path)] = file.filename or ""
        return await run_in_threadpool(_look, workspace, names)


def _look(workspace: Workspace, names: dict[str, str]) -> tuple[list[Looked], list[Quarantined]]:
    from owcl.engine.look import look

    seen, bad = look(workspace, list(names), NEAREST)
    found = [
        Looked(
            names[one.face.source],
            one.face.class_id,
            one.face.name,
            one.face.family,
            one.face.probability,
            one.face.p_value,
            one.face.forged,
            one.face.components or (),
            {
                **{
                    kind: _address(pictures.drawn(one.pixels[None], kind))
                    for kind in ("face", "residual", "spectrum")
                },
                **({} if one.heat is None else {"edited": _address(pictures.heat(one.pixels, one.heat))}),
            },
            tuple(np.asarray(one.nearest).tolist()),
        )
        for one in seen
    ]
    return found, [Quarantined(names.get(one.source, ""), one.sha256, one.reason) for one in bad]


def _address(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
