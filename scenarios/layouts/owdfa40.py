"""The layout of OWDFA-40: a folder a class, `<number>_<family>_<method>`, and no list of any kind.

Source:
    CAL, arXiv 2512.12667. The official split depends on the order in which a disk lists its files; here names
    are sorted, and each class is drawn by itself.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np

from owcl.errors import BadInput
from scenarios.layouts.benchmark import BenchmarkClass, Faces, Protocol, Split
from scenarios.layouts.owdfa import videos_of

logger = logging.getLogger(__name__)

SUFFIXES = {".jpg", ".jpeg", ".png"}
KNOWN_BUDGET = 2000
NOVEL_BUDGET = 1500
REAL_BUDGET = 10_000
"""Of each folder of real faces."""
TEST_SHARE = 0.2
LABELLED_SHARE = 0.75
"""Of all training faces of known classes together, or of the videos that they come from."""


def read(protocol: Protocol, root: Path, split: Split) -> Faces:
    """Draw the faces of a protocol.

    Raises:
        BadInput: if a class folder is missing or holds no image.
    """
    _refuse_missing(protocol, root)
    faces = Faces()
    for number, each in enumerate(protocol.classes):
        rng = np.random.default_rng([protocol.seed, number])
        folders = [_drawn(root / folder, _budget(each), rng) for folder in each.folders]
        drawn = [path for paths in folders for path in paths]
        groups = [group for paths in folders for group in _groups(paths, split)]
        faces.groups |= zip(drawn, groups, strict=True)
        held_out = _held_out(groups, rng)
        faces.test[each.name] = [path for path, is_test in zip(drawn, held_out, strict=True) if is_test]
        faces.unlabelled[each.name] = [
            path for path, is_test in zip(drawn, held_out, strict=True) if not is_test
        ]
    _label(faces, protocol)
    return faces


def _refuse_missing(protocol: Protocol, root: Path) -> None:
    folders = [folder for each in protocol.classes for folder in each.folders]
    missing = [folder for folder in folders if not (root / folder).is_dir()]
    if missing:
        raise BadInput(
            f"{root}: {len(missing)} of {len(folders)} class folders are missing: {', '.join(missing)}. Each "
            "archive is expected to be unpacked into a folder of its own name."
        )
    if root.is_dir():
        for extra in sorted({path.name for path in root.iterdir() if path.is_dir()} - set(folders)):
            logger.warning("%s: no class of %s, left out", root / extra, protocol.name)


def _budget(each: BenchmarkClass) -> int:
    if each.family == "real":
        return REAL_BUDGET
    return KNOWN_BUDGET if each.known else NOVEL_BUDGET


def _drawn(folder: Path, budget: int, rng: np.random.Generator) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise BadInput(f"{folder}: there is no JPEG or PNG image in it. Unpack its archive again.")
    rows = rng.permutation(len(found))[:budget].tolist()
    return [Path(os.path.abspath(found[row])) for row in rows]


def _groups(paths: list[Path], split: Split) -> list[str]:
    """Return what each face of a folder is drawn with: in the grouped split its video."""
    return videos_of(paths) if split == "grouped" else list(map(str, paths))


def _held_out(groups: list[str], rng: np.random.Generator) -> list[bool]:
    """Draw one of five groups for the test."""
    names = sorted(set(groups))
    test = {names[row] for row in rng.permutation(len(names))[int((1 - TEST_SHARE) * len(names)) :].tolist()}
    return [group in test for group in groups]


def _label(faces: Faces, protocol: Protocol) -> None:
    """Give labels to three in four training groups of known classes, drawn from all of them together."""
    pooled = [(name, path) for name in protocol.known for path in faces.unlabelled[name]]
    names = list(dict.fromkeys(faces.groups[path] for _, path in pooled))
    rng = np.random.default_rng([protocol.seed, len(protocol.classes)])
    chosen = {names[row] for row in rng.permutation(len(names))[: int(LABELLED_SHARE * len(names))].tolist()}
    for name in protocol.known:
        faces.labelled[name], faces.unlabelled[name] = [], []
    for name, path in pooled:
        part = faces.labelled if faces.groups[path] in chosen else faces.unlabelled
        part[name].append(path)
