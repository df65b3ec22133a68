"""A tree with one folder a method: the layout of labelled faces, which says nothing of hidden ones."""

from __future__ import annotations

from pathlib import Path

from owcl.errors import BadInput
from scenarios.schedule import REAL

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


def method_folders(root: Path) -> dict[str, Path]:
    """Return the folders of methods by name, those with at least one image in them or below them.

    Raises:
        BadInput: if there is no such folder, or the methods seem to be one level below.
    """
    if not root.is_dir():
        raise BadInput(f"{root}: there is no such folder. A folder of method folders is expected.")
    base = root / "faces" if (root / "faces").is_dir() else root
    folders = {
        folder.name: folder
        for folder in sorted(base.iterdir())
        if folder.is_dir() and any(map(is_image, folder.rglob("*")))
    }
    if not folders:
        raise BadInput(
            f"{base}: no folder with images in it. One folder a method is expected, such as {base}/{REAL}/ "
            f"and {base}/simswap/, with PNG or JPEG faces. Sort the faces into folders."
        )
    if REAL not in folders:
        _refuse_one_too_high(base, folders)
    return folders


def is_image(path: Path) -> bool:
    """Say by its suffix whether a file is taken for a face."""
    return path.suffix.lower() in SUFFIXES


def _refuse_one_too_high(base: Path, folders: dict[str, Path]) -> None:
    for folder in folders.values():
        for below in (folder, folder / "faces"):
            if (below / REAL).is_dir():
                raise BadInput(
                    f"{base}: there is a folder {below / REAL}, so the methods seem to be the folders in "
                    f"{below}. The folder that holds theirs is expected. Name {below} instead."
                )
