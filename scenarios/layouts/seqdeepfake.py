"""The layout of Seq-DeepFake: faces whose components or attributes were edited one after another.

Its faces teach multi-label ranking; and each sequence of edits is a method, whose family is their number.

Source:
    Shao, Wu and Liu, Detecting and Recovering Sequential DeepFake Manipulation, ECCV 2022 (arXiv 2207.02204).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from owcl.errors import BadInput
from scenarios.folder import Tree
from scenarios.schedule import REAL, FileEntry
from scenarios.tables import table

TRACKS = {
    "facial_components": ("nose", "eye", "eyebrow", "lip", "hair"),
    "facial_attributes": ("Bangs", "Eyeglasses", "Beard", "Smiling", "Young"),
}
"""Names of the labels 1 to 5 of each track."""
SPLITS = ("train", "val", "test")
GENUINE = "original"
"""The folder of faces that were not edited."""
SHOWN = 5


@dataclass(frozen=True)
class EditedFace:
    """A face and its history."""

    path: Path
    row: tuple[int, ...]
    """Labels in the order of the edits, then zeros: as many numbers as there are labels."""

    @property
    def mask(self) -> Path | None:
        """Where the mask of what was edited lies, in trees that have masks; label n sets bit n - 1."""
        parts = list(self.path.parts)
        if "images" not in parts:
            return None
        parts[len(parts) - 1 - parts[::-1].index("images")] = "masks"
        return Path(*parts).with_suffix(".png")


@dataclass(frozen=True)
class EditedFaces:
    """What a tree holds."""

    labels: tuple[str, ...]
    """Names of the labels from 1 on."""
    splits: dict[str, list[EditedFace]]
    """By split: `train`, `val` and `test`."""


def sequence_folder(row: tuple[int, ...], labels: tuple[str, ...]) -> str:
    """Return the name of the folder of a sequence."""
    return "-".join(labels[label - 1] for label in row if label) or GENUINE


def read(root: Path, track: str | None = None) -> EditedFaces:
    """Read the annotation of a tree `<root>/<track>/annotations/{train,val,test}.csv`.

    Args:
        root: of the tree; paths in the annotation are relative to it.
        track: `facial_components` or `facial_attributes`; may be left out where there is only one.

    Raises:
        BadInput: if a track, an annotation or a column is missing, a row contradicts itself or its folder, or
            images are not there.
    """
    track = _track(root, track)
    labels = TRACKS[track]
    splits = {split: _read_split(root, track, split, labels) for split in SPLITS}
    missing = [str(face.path) for faces in splits.values() for face in faces if not face.path.is_file()]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise BadInput(
            f"{root}: {len(missing)} images of the annotation are not there: "
            f"{', '.join(missing[:SHOWN])}{more}. Unpack all archives of the track."
        )
    return EditedFaces(labels, splits)


def as_methods(edited: EditedFaces) -> Tree:
    """Return the faces of all splits by sequence; those that were made of one original are a group."""
    files: dict[str, list[FileEntry]] = {}
    families: dict[str, str] = {}
    for face in (face for split in edited.splits.values() for face in split):
        edits = sum(label > 0 for label in face.row)
        method = sequence_folder(face.row, edited.labels) if edits else REAL
        files.setdefault(method, []).append(FileEntry(Path(os.path.abspath(face.path)), face.path.stem))
        families[method] = f"edits: {edits}" if edits else REAL
    return Tree(files, families)


def _track(root: Path, track: str | None) -> str:
    found = [name for name in TRACKS if (root / name).is_dir()]
    if track is None and len(found) == 1:
        return found[0]
    if track in found:
        return track
    expected = " or ".join(TRACKS) if track is None else track
    raise BadInput(
        f"{root}: {'there is no' if len(found) < 2 else 'there are both'} {expected} here. A folder that "
        "holds one track with its annotations and images is expected. Name the track, or check the folder."
    )


def _read_split(root: Path, track: str, split: str, labels: tuple[str, ...]) -> list[EditedFace]:
    annotation = root / track / "annotations" / f"{split}.csv"
    if not annotation.is_file():
        raise BadInput(f"{annotation}: the annotation is missing. It lists the split's images and labels.")
    with table(annotation) as reader:
        absent = {"file_path", "label"} - set(reader.fieldnames or ())
        if absent:
            raise BadInput(
                f"{annotation}: the column {' and '.join(sorted(absent))} is missing. The columns file_path "
                "and label are expected."
            )
        return [
            _face(root, row, labels, f"{annotation}, line {line}") for line, row in enumerate(reader, start=2)
        ]


def _face(root: Path, row: dict[str, str], labels: tuple[str, ...], where: str) -> EditedFace:
    try:
        sequence = tuple(json.loads(row["label"]))
    except (ValueError, TypeError):
        sequence = ()
    edits = [label for label in sequence if label]
    sound = (
        len(sequence) == len(labels)
        and all(isinstance(label, int) and 0 <= label <= len(labels) for label in sequence)
        and list(sequence[: len(edits)]) == edits
        and len(set(edits)) == len(edits)
    )
    if not sound:
        raise BadInput(
            f"{where}: the label {row['label']!r} is no sequence. {len(labels)} numbers from 0 to "
            f'{len(labels)} are expected, none twice, and zeros only at the end, as "[2, 4, 1, 0, 0]".'
        )
    path = root / row["file_path"]
    if path.parent.name != (folder := sequence_folder(sequence, labels)):
        raise BadInput(
            f"{where}: {row['file_path']} lies in {path.parent.name}, but its label says {folder}. "
            "Both are expected to agree."
        )
    return EditedFace(path, sequence)
