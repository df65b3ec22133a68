"""Tables that somebody else wrote."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from owcl.errors import BadInput


@contextmanager
def table(path: Path) -> Iterator[csv.DictReader[str]]:
    """Give the rows of a CSV file whose first line names the columns; a byte order mark is none of a name.

    Raises:
        BadInput: if it turns out not to be CSV in UTF-8.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield csv.DictReader(file)
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not CSV in UTF-8: {error}. Save it as that.") from error
