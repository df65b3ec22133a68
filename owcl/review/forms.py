"""What a form, a query or a path says: words, numbers and ids of faces, none of them taken on trust."""

from __future__ import annotations

from urllib.parse import quote

from starlette.datastructures import FormData

from owcl.errors import BadInput, NotFound

MOST_IDS = 100_000
"""Faces of one decision."""


def word(form: FormData, name: str) -> str:
    """Return the text of a field; an empty one where there is none, or a file."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def new_name(form: FormData) -> str | None:
    """Return the name that a new class is to have; None where none was given."""
    return word(form, "name").strip() or None


def number(text: str | None) -> int | None:
    """Return the whole number that a text is; None where it is none that SQLite could hold."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def decision(form: FormData) -> int | None:
    """Return the id of the decision that is named; None where none is.

    Raises:
        BadInput: if what stands there is no id.
    """
    text = word(form, "decision")
    found = number(text)
    if text and found is None:
        raise BadInput(f"decision: {text!r} is no id of one.")
    return found


def chosen(form: FormData) -> list[int]:
    """Return the ids of the faces that were chosen.

    Raises:
        BadInput: if there are none, too many, or what stands there is no id.
    """
    return ids(word(form, "faces"), MOST_IDS)


def ids(text: str, most: int) -> list[int]:
    """Return the ids that stand in a text with commas between them, each once.

    Raises:
        BadInput: if there are none, more than `most`, or one is no whole number.
    """
    numbers = [number(part) for part in text.split(",")]
    if not 0 < len(numbers) <= most or None in numbers:
        raise BadInput(f"faces: from 1 to {most:,} ids with commas between them are expected.")
    return [one for one in dict.fromkeys(numbers) if one is not None]


def kind(text: str) -> str:
    """Return which kind of picture is asked for.

    Raises:
        NotFound: if there is none such.
    """
    if text not in ("face", "residual", "spectrum"):
        raise NotFound(f"picture: {text!r} is no kind of it.")
    return text


def way_back(form: FormData) -> str:
    """Return a path of this page to go back to, never another site's."""
    path = word(form, "back")
    inside = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return quote(path, safe="/") if inside else "/history"
