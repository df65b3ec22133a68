"""A tree with one folder a method: the layout of labelled faces, which says nothing of hidden ones."""

from __future__ import annotations

from pathlib import Path

from owcl.errors import BadInput
from scenarios.schedule import REAL

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


def method_folders(root: Path) -> dict[str, Path]:
    """Return the folders of methods by name, those that hold at least one image.

    Raises:
        BadInput: if there is no such folder.
    """
    if not root.is_dir():
        raise BadInput(f"{root}: there is no such folder. A folder of method folders is expected.")
    base = root / "faces" if (root / "faces").is_dir() else root
    folders = {
        folder.name: folder
        for folder in sorted(base.iterdir())
        if folder.is_dir() and any(file.suffix.lower() in SUFFIXES for file in folder.iterdir())
    }
    if not folders:
        raise BadInput(
            f"{base}: no folder with images in it. One folder a method is expected, such as {base}/{REAL}/ "
            f"and {base}/simswap/, with PNG or JPEG faces. Sort the faces into folders."
        )
    return folders
