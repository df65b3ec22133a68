"""The layout of DF40: `DF40_train/<method>/ff`, `DF40/<method>/{ff,cdf}`, or `DF40/<method>/{fake,real}`.

Source:
    Yan et al., DF40: Toward Next-Generation Deepfake Detection, NeurIPS 2024 (arXiv 2406.13495).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from owcl.errors import BadInput
from scenarios.folder import Tree
from scenarios.schedule import REAL, FileEntry

FAMILIES = {
    "face swapping": "fsgan faceswap simswap inswap blendface uniface mobileswap e4s facedancer deepfacelab",
    "face reenactment": (
        "fomm facevid2vid wav2lip MRAA one_shot_free pirender tpsm lia danet sadtalker mcnet heygen "
        "hyperreenact"
    ),
    "entire face synthesis": (
        "VQGAN StyleGAN2 StyleGAN3 StyleGANXL sd2.1 ddim PixArt DiT SiT MidJourney whichfaceisreal rddm"
    ),
    "face editing": "stargan starganv2 styleclip e4e CollabDiff",
}
FAMILY_OF = {method: family for family, methods in FAMILIES.items() for method in methods.split()}
PARTS = ("DF40_train", "DF40")
NO_VIDEOS = {"fake", "real", "ff", "cdf", "frames"}
"""Folders that hold images, not folders of the frames of a video."""
SUFFIXES = {".png", ".jpg", ".jpeg"}


def read(root: Path) -> Tree:
    """Read a tree of DF40, whole or in part.

    The method is the name of the folder, never the label of the published JSON, which calls two methods by
    another's name. Genuine faces are those of `<method>/real`, and of `root/real`, where others can be put:
    DF40 ships none of those of its videos.

    Raises:
        BadInput: if there are fewer than two methods, or a folder is none of DF40's.
    """
    files: dict[str, list[FileEntry]] = {}
    parts = [root / part for part in PARTS if (root / part).is_dir()] or [root]
    for part in parts:
        for folder in sorted(path for path in part.iterdir() if path.is_dir() and path.name != REAL):
            if folder.name not in FAMILY_OF:
                raise BadInput(
                    f"{folder}: no method of DF40 has this name. Folders named as in the published tree are "
                    f"expected, such as {part / 'simswap'}. Rename it, or put it elsewhere."
                )
            genuine = folder / REAL
            found = [path for path in _images(folder) if not path.is_relative_to(genuine)]
            files.setdefault(folder.name, []).extend(map(_entry, found))
            files.setdefault(REAL, []).extend(map(_entry, _images(genuine)))
    files.setdefault(REAL, []).extend(map(_entry, _images(root / REAL)))
    present = {method: entries for method, entries in files.items() if entries}
    if len(present) < 2:
        raise BadInput(
            f"{root}: {len(present)} methods with images. "
            f"{' and '.join(f'{part}/<method>/' for part in PARTS)} are expected, two methods at least. "
            "Unpack the archives here."
        )
    return Tree(present, {method: FAMILY_OF.get(method, REAL) for method in present})


def _images(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)


def _entry(path: Path) -> FileEntry:
    """Return a face with its video, whose name is the same in all methods; a lone image is its own video."""
    folder = path.parent.name
    return FileEntry(Path(os.path.abspath(path)), path.stem if folder in NO_VIDEOS else folder)
