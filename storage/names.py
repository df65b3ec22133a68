"""Names of classes: any printable text that a person can tell from the others; and of who decides."""

from __future__ import annotations

import unicodedata

from owcl.errors import BadInput

_LONGEST = 200
# Persian, Hindi and many emoji need these two to be written; both are invisible by themselves.
_JOINERS = "\u200c\u200d"


def checked_name(name: str, class_id: int | None = None) -> str:
    """Return the name without space around it, composed as Unicode composes it.

    `class_id` is the class that is to bear it: `new-7` is reserved for class 7.

    Raises:
        BadInput: if nothing is left, it is longer than 200 characters, or holds what cannot be printed.

    Example:
        >>> checked_name("  Robert'); DROP TABLE classes;--  ")
        "Robert'); DROP TABLE classes;--"
    """
    composed = unicodedata.normalize("NFC", name)
    spaced = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in composed)
    stripped = spaced.strip(" ")
    if not stripped.strip(_JOINERS + " "):
        raise BadInput(f"name {name!r}: it is empty. At least one visible character is expected.")
    if len(stripped) > _LONGEST:
        raise BadInput(
            f"name {stripped[:20]!r}…: it has {len(stripped)} characters. At most {_LONGEST} are expected."
        )
    for letter in stripped:
        if not (letter.isprintable() or letter in _JOINERS):
            raise BadInput(
                f"name {stripped[:40]!r}: it holds the control character {letter!r}. Printable text on one "
                "line is expected. Leave that character out."
            )
    _refuse_reserved(stripped, class_id)
    return stripped


def can_sign(who: str) -> bool:
    """Say whether the history can show who decided: something visible, on one line.

    Example:
        >>> can_sign("anna"), can_sign(" ")
        (True, False)
    """
    return bool(who.strip()) and who.isprintable()


def default_name(class_id: int) -> str:
    """Return the name of a class that nobody has named yet."""
    return f"new-{class_id}"


def key_of(name: str) -> str:
    """Return what two names share when people would take them for the same.

    Example:
        >>> key_of("StyleGAN") == key_of("stylegan")
        True
    """
    plain = "".join(letter for letter in name if letter not in _JOINERS)
    return unicodedata.normalize("NFC", plain.strip(" ").casefold())


def _refuse_reserved(name: str, class_id: int | None) -> None:
    prefix, _, number = key_of(name).partition("-")
    if prefix == "new" and number.isdecimal() and key_of(name) != default_name(class_id or 0):
        raise BadInput(
            f"name {name!r}: names of this form are reserved for classes that nobody has named. "
            "Choose another name."
        )
