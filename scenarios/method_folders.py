"""A tree with one folder a method: the layout of labelled faces, which says nothing of hidden ones."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from owcl.errors import BadInput
from owcl.faces.sources import INSIDE, expand
from scenarios.schedule import REAL

_LABEL = re.compile(r"([0-9]+_)?(real|fake)", re.IGNORECASE)
"""Names of folders that say who made the faces in them, and not of which video they are."""


def method_folders(root: Path) -> dict[str, Path]:
    """Return the folders of methods by name, those with an image in them or in a folder below them.

    Raises:
        BadInput: if there is no such folder, or one holds folders of methods.
    """
    if not root.is_dir():
        raise BadInput(f"{root}: there is no such folder. A folder of method folders is expected.")
    base = root / "faces" if (root / "faces").is_dir() else root
    folders = {
        folder.name: folder
        for folder in sorted(base.iterdir())
        if folder.is_dir() and not folder.name.startswith(".") and any(True for _ in images_in(folder))
    }
    if not folders:
        raise BadInput(
            f"{base}: no folder with images in it. One folder a method is expected, such as {base}/{REAL}/ "
            f"and {base}/simswap/, with PNG or JPEG faces. Sort the faces into folders."
        )
    for folder in folders.values():
        _refuse_methods_below(base, folder)
    return folders


def images_in(folder: Path) -> Iterator[Path]:
    """Yield the image files in a folder and below, as `expand` finds them, but for what is in archives."""
    for source in expand([folder]):
        if isinstance(source, str) and os.path.lexists(source):
            yield Path(source)


def groups_in(folder: Path, sources: Sequence[str]) -> list[str]:
    """Return for each face of a method's folder what it comes from: a video's folder, an archive, or itself.

    Where all of them lie in one, each is by itself: as frames of one video they would all come to one side.

    Args:
        folder: of the method.
        sources: `(N,)` faces, as `expand` names them.
    """
    inside = [os.path.relpath(source, folder) for source in sources]
    groups = [name.partition(os.sep)[0].partition(INSIDE)[0] for name in inside]
    return groups if len(set(groups)) > 1 else inside


def _refuse_methods_below(base: Path, folder: Path) -> None:
    for within in (folder, folder / "faces"):
        below = [path.name for path in within.iterdir() if path.is_dir()] if within.is_dir() else []
        method = next((name for name in sorted(below) if _LABEL.fullmatch(name)), None)
        if method is not None:
            raise BadInput(
                f"{base}: {folder.name} is no single method, since it holds the folder {within / method}. "
                "One folder a method is expected, with its faces, or folders of its videos, in it. "
                f"Name {within} if its folders are those of the methods, or sort the faces."
            )
