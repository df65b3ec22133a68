"""`owcl export`: every face with where it belongs now, for other programs."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from owcl.engine.standing import standing
from owcl.engine.workspace import Report, Workspace, silent
from owcl.errors import BadInput, Conflict
from owcl.faces.sources import INSIDE, SourceReader, Unreadable
from owcl.types import UNKNOWN
from storage import classes, faces
from storage.store import Store

_PIECE = 10_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")


@dataclass(frozen=True)
class ExportedFace:
    """One line of an export."""

    face_id: int
    source: str
    sha256: str
    experience: int
    class_id: int
    """`UNKNOWN` where the face is of no live class."""
    class_name: str
    family: str
    status: str
    origin: str
    """On whose word: label, promotion, operator, pseudo or model."""
    probability: float | None
    p_value: float | None


@dataclass(frozen=True)
class ExportResult:
    """What was written, and which sources are there no longer, or are other images now."""

    path: Path
    faces: int
    missing: tuple[str, ...]


def export(workspace: Workspace, kind: str, output: Path, report: Report = silent) -> ExportResult:
    """Write all faces as `csv`, `parquet` or `imagefolder`.

    Raises:
        BadInput: if there is no such kind, or no folder for the output.
        Conflict: if the output is there already, or a folder holds other files: nothing is ever overwritten.
    """
    if kind not in KINDS:
        raise BadInput(f"export: there is no kind {kind!r}. Kinds: {', '.join(KINDS)}. Choose one.")
    if str(output) == "-":
        raise BadInput(
            "export: - names no file. A path is expected; `owcl attribute --csv` writes to a pipe."
        )
    if not output.absolute().parent.is_dir():
        raise BadInput(f"{output}: there is no folder {output.parent}. Make it, or correct the path.")
    if kind != "imagefolder" or not output.is_dir():
        _refuse_existing(output)
    return KINDS[kind](workspace, output, report)


def exported_faces(store: Store) -> Iterator[ExportedFace]:
    """Yield all faces that have been attributed or belong to a class, by id."""
    with store.reading() as transaction:
        present = standing(transaction)
        entries = {entry.id: entry for entry in classes.live(transaction)}
        for start in range(0, len(present.face_ids), _PIECE):
            piece = slice(start, start + _PIECE)
            columns = zip(
                faces.by_ids(transaction, present.face_ids[piece]),
                present.class_ids[piece].tolist(),
                present.origins[piece],
                present.probabilities[piece].tolist(),
                present.p_values[piece].tolist(),
                strict=True,
            )
            for face, class_id, origin, probability, p_value in columns:
                entry = None if class_id == UNKNOWN else entries[class_id]
                yield ExportedFace(
                    face_id=face.id,
                    source=face.source,
                    sha256=face.sha256,
                    experience=face.experience,
                    class_id=class_id,
                    class_name="unknown" if entry is None else entry.name,
                    family="" if entry is None else entry.family or "",
                    status="unknown" if entry is None else entry.status,
                    origin=origin,
                    probability=_defined(probability),
                    p_value=_defined(p_value),
                )


def harmless(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula; numbers stay as they are.

    Example:
        >>> harmless("=HYPERLINK(1)"), harmless("@SUM"), harmless(-1.5), harmless("a=b")
        ("'=HYPERLINK(1)", "'@SUM", -1.5, 'a=b')
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def folder_name(class_name: str, class_id: int) -> str:
    """Return a folder for a class that any system takes, and that no other class has.

    Where the name itself will not do, the id tells the classes apart.

    Example:
        >>> folder_name("StyleGAN 2", 7), folder_name("../../etc", 8), folder_name("nul", 9)
        ('StyleGAN 2', 'etc-8', 'nul-9')
    """
    cleaned = re.sub(r"[^\w .+()-]+", "_", class_name).strip(". _")[:80]
    number = re.search(r"-(\d+)$", cleaned)
    another = number is not None and number[1] != str(class_id)
    unknown = cleaned.casefold() == "unknown" and class_id != UNKNOWN
    if cleaned != class_name or another or unknown or _RESERVED.match(cleaned):
        return f"{cleaned}-{class_id}"
    return cleaned


def _to_csv(workspace: Workspace, output: Path, report: Report) -> ExportResult:
    count = 0
    # Paths that are not Unicode are written with the bytes they have.
    with (
        _whole(output) as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(ExportedFace.__dataclass_fields__)
        for count, face in enumerate(exported_faces(workspace.store), start=1):
            writer.writerow([harmless(cell) for cell in asdict(face).values()])
            report("exporting faces", count, None)
    return ExportResult(output, count, ())


def _to_parquet(workspace: Workspace, output: Path, report: Report) -> ExportResult:
    import pandas as pd

    rows = [
        {name: _encodable(cell) for name, cell in asdict(face).items()}
        for face in exported_faces(workspace.store)
    ]
    report("exporting faces", len(rows), len(rows))
    frame = pd.DataFrame(rows, columns=list(ExportedFace.__dataclass_fields__))
    with _whole(output) as part:
        frame.astype({"probability": "float64", "p_value": "float64"}).to_parquet(part, index=False)
    return ExportResult(output, len(rows), ())


def _to_image_folder(workspace: Workspace, output: Path, report: Report) -> ExportResult:
    _refuse_strange(workspace, output)
    missing: list[str] = []
    copied = 0
    largest = workspace.limits().max_bytes
    with SourceReader() as reader:
        for face in exported_faces(workspace.store):
            try:
                data = reader.read_bytes(face.source, largest)
            except Unreadable:
                data = b""
            # Another image may be in its place by now.
            if hashlib.sha256(data).hexdigest() != face.sha256:
                missing.append(face.source)
                continue
            target = _target(output, face)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                with _whole(target) as part:
                    part.write_bytes(data)
            copied += 1
            report("copying faces", copied, None)
    return ExportResult(output, copied, tuple(missing))


def _refuse_strange(workspace: Workspace, output: Path) -> None:
    """Refuse a folder with other files than this export would leave: faces that moved would be in it twice.

    Raises:
        Conflict: if there are any.
    """
    if not output.exists():
        return
    ours = {_target(output, face) for face in exported_faces(workspace.store)}
    ours |= {_unfinished(target) for target in ours}
    strange = sorted(path for path in output.rglob("*") if path.is_file() and path not in ours)
    if strange:
        raise Conflict(
            f"{output}: {len(strange)} files there are not of this export, as {strange[0]}. An empty folder, "
            "or an interrupted export of the same, is expected. Name another, or remove them."
        )


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise Conflict(
            f"{target}: it exists, and an export overwrites nothing. Name another, or remove it first."
        )


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """Give a hidden file beside a target that takes its name once it is complete; an error takes it away.

    What a killed export left of it is written over by the next one.

    Raises:
        Conflict: if the target is there by then.
    """
    part = _unfinished(target)
    try:
        yield part
        _refuse_existing(target)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def _unfinished(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _target(output: Path, face: ExportedFace) -> Path:
    """Name a copy by content: two sources of one name do not meet, and an export can be resumed."""
    suffix = Path(face.source.rpartition(INSIDE)[2]).suffix.lower()
    folder = output / folder_name(face.class_name, face.class_id)
    return folder / f"{face.sha256}{suffix if suffix.isascii() else ''}"


def _encodable(cell: object) -> object:
    return cell.encode(errors="backslashreplace").decode() if isinstance(cell, str) else cell


def _defined(number: float) -> float | None:
    return None if number != number else number


KINDS: Mapping[str, Callable[[Workspace, Path, Report], ExportResult]] = {
    "csv": _to_csv,
    "parquet": _to_parquet,
    "imagefolder": _to_image_folder,
}
