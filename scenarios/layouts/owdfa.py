"""The layout of OW-DFA: `<root>/<family>/<method>/<source>/<image>`, and what each face is for in a CSV.

Source:
    Sun et al., Contrastive Pseudo Learning for Open-World DeepFake Attribution, ICCV 2023 (arXiv 2309.11132).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from owcl.errors import BadInput
from scenarios.layouts.benchmark import Faces, Protocol, Split
from scenarios.tables import table

ANNOTATIONS = "meta_data"
COLUMNS = ("img_path", "method", "image_source", "tag")
TRAINING_SHARE = 0.8
LABELLED, UNLABELLED = "1", "2"
"""Of the column `tag`; 0 is left out."""
_SOURCE_FOLDERS = {
    "faceforensics": "FaceForensics++",
    "faceforensics++": "FaceForensics++",
    "forgerynir+": "ForgeryNIR",
    "celeb-df": "CelebDF",
}
"""Names that the annotation and the folders give to one source, in small letters."""


@dataclass(frozen=True)
class _Row:
    path: Path
    tag: str
    is_frame: bool
    """Of a video; images have no number of a frame in the annotation."""


def read(protocol: Protocol, root: Path, split: Split) -> Faces:
    """Read the faces of a protocol.

    The annotation is the one CSV in `<root>/meta_data` whose name holds the protocol's number; where it says
    nothing of a class of the protocol, or faces are missing, nothing is read. Paths from another machine are
    looked up by their last four parts. Which faces have labels is for the annotation to say, which gives
    frames of one video both tags: in any split, such a video is labelled in part.

    Raises:
        BadInput: if the annotation, a column, a class or a file is missing.
    """
    rows = _by_class(_annotation(root, protocol), root)
    faces = Faces()
    absent = [each.name for each in protocol.classes if not rows.get((each.method, each.source))]
    if absent:
        raise BadInput(
            f"{root}: the annotation has no faces of {', '.join(absent)}. All classes of {protocol.name} are "
            f"expected, {len(protocol.classes)} of them. Choose the annotation of this protocol."
        )
    for number, each in enumerate(protocol.classes):
        mine = rows[each.method, each.source]
        rng = np.random.default_rng([protocol.seed, number])
        groups = _groups(mine, split)
        faces.groups |= zip((row.path for row in mine), groups, strict=True)
        training = _is_training(groups, rng)
        of = {
            LABELLED: faces.labelled.setdefault(each.name, []),
            UNLABELLED: faces.unlabelled.setdefault(each.name, []),
        }
        held_out = faces.test.setdefault(each.name, [])
        for row, trains in zip(mine, training, strict=True):
            (of[row.tag] if trains else held_out).append(row.path)
        if each.known and not of[LABELLED]:
            raise BadInput(
                f"{root}: {each.name} is known, but none of its faces has tag 1. Check the annotation."
            )
    return faces


def _annotation(root: Path, protocol: Protocol) -> Path:
    folder = root / ANNOTATIONS
    number = protocol.name[-1]
    found = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    fitting = [path for path in found if re.search(rf"(?i)p(rotocol)?[-_ ]?{number}(?!\d)", path.stem)]
    if len(fitting) > 1:
        # The scale of the published table.
        fitting = [path for path in fitting if "val" in path.stem.lower()] or fitting
    if len(fitting) != 1:
        raise BadInput(
            f"{folder}: {len(fitting)} annotations of protocol {number} among {len(found)} CSV files. One is "
            f"expected, with protocol{number} in its name. Put it there, and others elsewhere."
        )
    return fitting[0]


def _by_class(annotation: Path, root: Path) -> Mapping[tuple[str, str], list[_Row]]:
    with table(annotation) as reader:
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise BadInput(f"{annotation}: the column {' and '.join(missing)} is missing.")
        rows: dict[tuple[str, str], list[_Row]] = {}
        absent = []
        for row in reader:
            if row["tag"] not in (LABELLED, UNLABELLED):
                continue
            path = _found(root, row["img_path"])
            if path is None:
                absent.append(row["img_path"])
                continue
            source = _SOURCE_FOLDERS.get(row["image_source"].lower(), row["image_source"])
            rows.setdefault((row["method"], source), []).append(
                _Row(path, row["tag"], row.get("frame_idx") != "")
            )
    if absent:
        folders = sorted({str(Path(path).parent) for path in absent})
        raise BadInput(
            f"{root}: {len(absent)} faces of {annotation.name} are not there, of the folders "
            f"{', '.join(folders[:5])}{' and others' * (len(folders) > 5)}. "
            "<family>/<method>/<source>/<image> is expected."
        )
    return rows


def _found(root: Path, named: str) -> Path | None:
    for path in (Path(named), root / named, root.joinpath(*Path(named).parts[-4:])):
        if path.is_file():
            return Path(os.path.abspath(path))
    return None


def _groups(rows: Sequence[_Row], split: Split) -> list[str]:
    """Return what each face is drawn with: in the grouped split the video that it is a frame of."""
    frames = [row.path for row in rows if row.is_frame and split == "grouped"]
    videos = dict(zip(frames, videos_of(frames), strict=True))
    return [videos.get(row.path, str(row.path)) for row in rows]


def _is_training(groups: Sequence[str], rng: np.random.Generator) -> list[bool]:
    """Draw four of five groups."""
    names = sorted(set(groups))
    drawn = rng.permutation(len(names))[: int(TRAINING_SHARE * len(names))]
    training = {names[row] for row in drawn.tolist()}
    return [group in training for group in groups]


def videos_of(paths: Sequence[Path]) -> list[str]:
    """Return the video of each face of a class folder.

    Where all names differ in nothing but their numbers, the faces are images, each of them by itself: as
    frames of one video they would all come to one side.
    """
    videos = [video_of(path) for path in paths]
    return videos if len(set(videos)) > 1 else [str(path) for path in paths]


def video_of(path: Path) -> str:
    """Return a frame's video: its folder, and its name without the number at the end."""
    return f"{path.parent}/{re.sub(r'[-_ ]?(frame)?[-_ ]?[0-9]+$', '', path.stem, flags=re.IGNORECASE)}"
