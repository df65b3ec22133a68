"""What a person or a script sees: results on standard output, all else on standard error.

The only place that prints. Names and paths come from outside, so nothing of them reaches a terminal as a
command to it.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from rich.progress import ProgressColumn, Task

    from owcl.engine.workspace import Report

_JOINERS = "\u200c\u200d"
_WIDE = 1000
"""Columns of a pipe: nothing is cut or wrapped."""
_GAP = 3
"""Columns between two of a table."""


def printable(text: str) -> str:
    r"""Return text with everything written out that a terminal would obey or hide.

    Example:
        >>> printable("red \x1b[31m and \u202eback")
        'red \\x1b[31m and \\u202eback'
    """
    return "".join(
        letter if letter.isprintable() or letter in _JOINERS else letter.encode("unicode_escape").decode()
        for letter in text
    )


def note(message: str) -> None:
    """Tell a person something that is no result."""
    _write(sys.stderr, "\n".join(map(printable, message.split("\n"))))


def line(text: object) -> None:
    """Show a result of one line."""
    _write(sys.stdout, printable(str(text)))


def traceback(error: BaseException) -> None:
    """Show where an unforeseen error came from."""
    from traceback import format_exception

    note("".join(format_exception(error)).rstrip())


def json_object(value: object) -> None:
    """Show one object for a script; what is not defined is null."""
    _write(sys.stdout, json.dumps(_plain(value), indent=2, allow_nan=False))


def csv_rows(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Show rows for a spreadsheet, in which no cell is a formula."""
    from owcl.engine.export import harmless

    for row in [headers, *rows]:
        cells = [harmless(printable(cell)) if isinstance(cell, str) else cell for cell in row]
        written = io.StringIO()
        csv.writer(written, lineterminator="").writerow(cells)
        _write(sys.stdout, written.getvalue())


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Show rows for a person; numbers stand to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [list(row) for row in rows]
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index, header in enumerate(headers):
        numeric = any(isinstance(row[index], int | float) for row in cells)
        shown.add_column(Text(printable(header)), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        shown.add_row(*(Text(word(cell)) for cell in row))
    width = None if sys.stdout.isatty() else _WIDE
    console = Console(file=sys.stdout, width=width, highlight=False)
    with console.capture() as captured:
        console.print(shown)
    for text in captured.get().splitlines():
        _write(sys.stdout, text.rstrip())


def compared(names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Show what is compared side by side, a line for each row; names that a terminal has no room for follow.

    Args:
        names: of the columns; the first is that of the rows' own names, which every part begins with.
        rows: with a cell for each name.
    """
    cells = [list(row) for row in rows]
    widths = [_GAP + max(map(len, column)) for column in zip(names, *cells, strict=True)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDE
    parts = [[0]]
    for column in range(1, len(names)):
        if len(parts[-1]) > 1 and sum(widths[one] for one in parts[-1]) + widths[column] > room:
            parts.append([0])
        parts[-1].append(column)
    for number, part in enumerate(parts):
        if number:
            line("")
        table([names[column] for column in part], [[row[column] for column in part] for row in cells])


def fields(values: Mapping[str, object]) -> None:
    """Show the parts of one result, a line each."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        line(f"{name:<{width}}  {word(value)}")


def word(value: object) -> str:
    """Return a cell as a person reads it.

    Example:
        >>> word(None), word(0.5), word(12_345), word("a")
        ('-', '0.500', '12,345', 'a')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return printable(str(value))


def percent(share: float | None) -> str:
    """Return a share in [0, 1], or a difference of shares, as a person reads it.

    Example:
        >>> percent(0.9756), percent(None), percent(math.nan)
        ('97.6 %', '-', '-')
    """
    return "-" if share is None or math.isnan(share) else f"{share:.1%}".replace("%", " %")


@contextmanager
def progress() -> Iterator[Report]:
    """Give a function that shows how far the work is, with rate and time left; silent without a terminal."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        _rate_column(),
        TimeRemainingColumn(),
    )
    console = Console(file=sys.stderr, highlight=False)
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                for earlier in tasks.values():
                    bar.remove_task(earlier)
                tasks.clear()
                tasks[what] = bar.add_task(printable(what), total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield report


class WarningsShown(logging.Handler):
    """Shows warnings of the engine to the person, without their place in the code."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show one."""
        note(f"Warning: {record.getMessage()}")


def _silent(what: str, done: int, total: int | None) -> None:
    pass


def _rate_column() -> ProgressColumn:
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f}/s")

    return Rate()


def _write(stream: TextIO, text: str) -> None:
    # A terminal of another encoding shows what it lacks as an escape instead of ending the command.
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except BrokenPipeError:
        # The reader has seen enough. Python must not complain of it when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        # Notes alone change nothing of what is done, nor of how it ends.
        if stream is not sys.stderr:
            raise click.exceptions.Exit(0) from None


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist"):  # numpy
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | None) else str(value)
