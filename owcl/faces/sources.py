"""What a person names, to single images: files, folders, globs, archives."""

from __future__ import annotations

import glob
import lzma
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from owcl.errors import BadInput
from owcl.types import Quarantined

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
INSIDE = "::"
"""Between an archive's path and the name of a member."""
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
)
"""What a damaged, encrypted or foreign archive raises."""
GONE = "listed, but there is no such file or folder"


class Unreadable(Exception):
    """The bytes of a source cannot be had; the message is the reason."""


class Listed(str):
    """A path from a list that somebody else made: if it is gone by now, the rest is still taken in."""


def expand(inputs: Iterable[str | Path]) -> Iterator[str | Quarantined]:
    """Yield the images that are meant, in a stable order.

    A folder stands for the images below it, a glob for what it matches, a zip archive for the images in
    it, as `archive.zip::member.png`. A file that is named is taken whatever its suffix. Paths come out
    absolute, since they are opened again later from anywhere. A `Listed` path that is gone is for quarantine.

    Raises:
        BadInput: if something else that is named does not exist, before the first image.
    """
    roots = [root for named in inputs for root in _roots(named)]
    for root in roots:
        if isinstance(root, Quarantined):
            yield root
        else:
            yield from _expand_one(root)


class SourceReader:
    """Reads files and members of archives; a context manager that keeps the archive it read last open."""

    def __init__(self) -> None:
        self._path = ""
        self._archive: zipfile.ZipFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def read_bytes(self, source: str, max_bytes: int) -> bytes:
        """Return the content of a file or of an archive's member.

        Raises:
            Unreadable: if it is missing, not permitted, no plain file, encrypted, damaged or too large.
        """
        try:
            if (inside := _inside_archive(source)) is not None:
                return self._read_member(*inside, max_bytes)
            with open(source, "rb", opener=_open_plain) as file:
                if os.fstat(file.fileno()).st_size > max_bytes:
                    raise Unreadable(f"larger than {max_bytes} bytes")
                return file.read()
        except (OSError, ValueError) as error:
            raise Unreadable(_reason(error)) from error

    def _read_member(self, path: str, member: str, max_bytes: int) -> bytes:
        try:
            # A member's name is only looked up in the archive, so it cannot lead anywhere else.
            archive = self._opened(path)
            if archive.getinfo(member).file_size > max_bytes:
                raise Unreadable(f"larger than {max_bytes} bytes")
            with archive.open(member) as file:
                return file.read(max_bytes)
        except (*DAMAGED, KeyError) as error:
            raise Unreadable(f"in the archive: {error}") from error

    def _opened(self, path: str) -> zipfile.ZipFile:
        if self._archive is None or self._path != path:
            self._close()
            self._archive, self._path = zipfile.ZipFile(path), path
        return self._archive

    def _close(self) -> None:
        if self._archive is not None:
            self._archive.close()
            self._archive = None


def _roots(named: str | Path) -> list[str | Quarantined]:
    path = str(named)
    if os.path.lexists(path) or _inside_archive(path) is not None:
        return [os.path.abspath(path)]
    if isinstance(named, Listed):
        return [Quarantined(path, None, GONE)]
    if glob.has_magic(path) and (matches := _matches(path)):
        return [*matches]
    raise BadInput(
        f"{path}: there is no such file or folder, and as a glob it matches nothing. An image, a "
        "folder, a zip archive or a pattern is expected. Check the path."
    )


def _matches(pattern: str) -> list[str]:
    """Return what a glob matches, every file once though a loop of links leads to it again and again."""
    by_place = {
        os.path.realpath(match): match for match in sorted(glob.glob(pattern, recursive=True), reverse=True)
    }
    return sorted(os.path.abspath(match) for match in by_place.values())


def _expand_one(path: str) -> Iterator[str | Quarantined]:
    if os.path.isdir(path):
        yield from _expand_folder(path)
    elif zipfile.is_zipfile(path) if path.lower().endswith(".zip") and os.path.isfile(path) else False:
        yield from _expand_archive(path)
    else:
        yield path


def _expand_folder(folder: str) -> Iterator[str | Quarantined]:
    """Walk down, entering every real directory once, so that a loop of links comes to an end."""
    troubles: list[OSError] = []
    entered: set[tuple[int, int]] = set()
    for current, folders, files in os.walk(folder, onerror=troubles.append, followlinks=True):
        try:
            status = os.stat(current)
        except OSError as error:
            troubles.append(error)
            folders.clear()
            continue
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders.sort()
        for name in sorted(files):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(current, name)
            elif name.lower().endswith(".zip"):
                yield from _expand_one(os.path.join(current, name))
    for trouble in troubles:
        yield Quarantined(str(trouble.filename), None, _reason(trouble))


def _expand_archive(path: str) -> Iterator[str | Quarantined]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
    except (OSError, *DAMAGED) as error:
        yield Quarantined(path, None, f"damaged archive: {error}")
        return
    for name in names:
        if name.lower().endswith(SUFFIXES) and not os.path.basename(name).startswith("."):
            yield f"{path}{INSIDE}{name}"


def _inside_archive(source: str) -> tuple[str, str] | None:
    """Return archive and member, or none if the source is no archive's member."""
    for found in re.finditer(rf"(?i)(?<=\.zip){INSIDE}", source):
        if os.path.isfile(source[: found.start()]):
            return source[: found.start()], source[found.end() :]
    return None


def _open_plain(path: str, flags: int) -> int:
    """Open without waiting for the other end of a pipe, and refuse what is no plain file."""
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise ValueError("a directory" if stat.S_ISDIR(mode) else "not a plain file")
    return handle


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
