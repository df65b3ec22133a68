"""`owcl classes sheet`: a class at a glance, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from owcl.engine.standing import standing, surest_first
from owcl.engine.workspace import Workspace
from owcl.errors import NotFound
from storage import classes, memberships

ACROSS = 10
"""Faces of each strip."""
SIDE = 96
CAPTION = 30
HEADING = 26
INK, PAPER = (20, 20, 24), (250, 250, 250)


@dataclass(frozen=True)
class Strip:
    """Faces that are shown for one reason."""

    reason: str
    rows: NDArray[np.int64]
    """Positions among the faces of the class."""


def draw_sheet(workspace: Workspace, id_or_name: str, picture: Path | None) -> tuple[Path, int]:
    """Draw a class's surest, least sure and some random faces with their scores, as PNG.

    Under each face stand its id, the probability of the class and the p-value.

    Args:
        workspace: the class's.
        id_or_name: of the class.
        picture: where to draw; else class-ID.png in the current folder.

    Returns:
        Where it was drawn, and how many faces the class has.

    Raises:
        NotFound: if there is no such class, or none of its faces is where it was taken from.
    """
    with workspace.store.reading() as transaction:
        entry = classes.find(transaction, id_or_name)
        present = standing(transaction)
        members = memberships.members(transaction, entry.id)
    rows = np.flatnonzero((present.class_ids == entry.id) | np.isin(present.face_ids, members))
    mine = present.face_ids[rows]
    probabilities, p_values = present.probabilities[rows], present.p_values[rows]
    strips = _strips(probabilities, p_values, workspace.rng("sheet", entry.id))
    captions = [
        present.origins[row] if np.isnan(probability) else f"{probability:.2f}  p {p_value:.2g}"
        for row, probability, p_value in zip(rows.tolist(), probabilities, p_values, strict=True)
    ]
    drawn = _sheet(workspace, entry.name, strips, mine, captions)
    if drawn is None:
        raise NotFound(
            f"class {entry.id} ({entry.name}): none of its faces is where it was taken from. Put the files "
            "back, or choose another class."
        )
    picture = picture or Path(f"class-{entry.id}.png")
    picture.parent.mkdir(parents=True, exist_ok=True)
    drawn.save(picture, "PNG")
    return picture, len(mine)


def _strips(
    probabilities: NDArray[np.float64], p_values: NDArray[np.float64], rng: np.random.Generator
) -> list[Strip]:
    order = surest_first(probabilities, p_values)
    sure, unsure = order[:ACROSS], order[ACROSS:][-ACROSS:][::-1]
    rest = rng.permutation(order[ACROSS:-ACROSS])[:ACROSS]
    strips = [Strip("surest", sure), Strip("least sure", unsure), Strip("random", rest)]
    return [strip for strip in strips if len(strip.rows)]


def _sheet(
    workspace: Workspace,
    name: str,
    strips: Sequence[Strip],
    face_ids: NDArray[np.int64],
    captions: Sequence[str],
) -> Image.Image | None:
    wanted = np.concatenate([strip.rows for strip in strips]) if strips else np.empty(0, np.int64)
    found, images = workspace.pixels(face_ids[wanted])
    if not len(found):
        return None
    pixels = dict(zip(found.tolist(), images, strict=True))
    height = HEADING + len(strips) * (HEADING + SIDE + CAPTION)
    sheet = Image.new("RGB", (ACROSS * SIDE, height), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    pen.text((6, 6), f"{name}: {len(face_ids)} faces", INK, font)
    for number, strip in enumerate(strips):
        top = HEADING + number * (HEADING + SIDE + CAPTION)
        pen.text((6, top + 6), strip.reason, INK, font)
        for column, row in enumerate(strip.rows.tolist()):
            face_id = int(face_ids[row])
            place = column * SIDE, top + HEADING
            if face_id in pixels:
                sheet.paste(_thumbnail(pixels[face_id]), place)
            caption = f"{face_id}\n{captions[row]}"
            pen.text((place[0] + 3, place[1] + SIDE + 2), caption, INK, ImageFont.load_default(10))
    return sheet


def _thumbnail(image: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(image.transpose(1, 2, 0)).resize((SIDE - 2, SIDE - 2), Image.Resampling.NEAREST)
