"""Options that several commands share."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from owcl.errors import BadInput, NotFound
from storage.names import can_sign

Command = TypeVar("Command", bound=Callable[..., Any])
LARGEST_NUMBER = 2**63 - 1
"""SQLite and numpy hold no larger one."""
PLAIN_WORD = re.compile(r"[\w.+-]+", re.ASCII)


class ExistingFolder(click.Path):
    """A folder that is there; one that is not is no mistake in the writing of the command.

    Raises:
        BadInput: if there is none of that name.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Return the path."""
        folder = Path(super().convert(value, parameter, context))  # type: ignore[arg-type]
        if not folder.is_dir():
            wrong = "this is a file" if folder.exists() else "there is no such folder"
            raise BadInput(f"{folder}: {wrong}. A folder is expected. Correct the path.")
        return folder


EXISTING_FOLDER = ExistingFolder()


class Id(click.ParamType):  # type: ignore[type-arg]
    """A whole number that is an id.

    Args:
        of: what it is the id of, as an error says it.
    """

    name = "integer"

    def __init__(self, of: str) -> None:
        self.of = of

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        """Return the number.

        Raises:
            BadParameter: if it is none.
            NotFound: if no id can be that large.
        """
        number: int = click.INT.convert(value, parameter, context)
        if abs(number) > LARGEST_NUMBER:
            raise NotFound(f"{self.of} {number}: there is none, since ids end at {LARGEST_NUMBER}.")
        return number


workspace_option = click.option(
    "-w",
    "--workspace",
    "root",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="OWCL_WORKSPACE",
    default=".",
    metavar="DIR",
    help="The workspace; else $OWCL_WORKSPACE, else the current folder.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def output_option(name: str, help_text: str) -> Callable[[Command], Command]:
    """Return the option that says which file to write; the command gets it as the argument `name`."""
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option("-o", "--output", name, type=path, metavar="FILE", help=help_text)


def with_standard_input(inputs: Iterable[str]) -> Iterator[str]:
    """Yield what was named; `-` stands for the lines of standard input."""
    for named in inputs:
        if named == "-":
            yield from _lines()
        else:
            yield named


def named_sources(inputs: Iterable[str]) -> Iterator[str]:
    """Yield the paths that were named; `-` stands for a list of them on standard input."""
    from owcl.faces.sources import Listed

    for named in inputs:
        if named == "-":
            yield from map(Listed, _lines())
        else:
            yield named


def _lines() -> Iterator[str]:
    for line in sys.stdin.buffer:
        if text := os.fsdecode(line.rstrip(b"\r\n")):
            yield text


class ClassName(click.ParamType):  # type: ignore[type-arg]
    """The id or name of a class, which the shell can complete.

    Names that a shell would read as more than one word are completed as ids: a name is whatever an operator
    once typed, and must not become part of a command.
    """

    name = "class"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        """Return the word.

        Raises:
            NotFound: if it is not Unicode, as every name is.
        """
        word = str(value)
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            raise NotFound(f"classes: there is no class {word!r}. `owcl classes list` shows those there are.")
        return word

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return names of live classes that begin as typed; none where there is no workspace."""
        from owcl.engine.workspace import DATABASE
        from owcl.errors import OwclError
        from storage import classes
        from storage.store import Store

        root = Path(context.params.get("root") or os.environ.get("OWCL_WORKSPACE") or ".")
        if not (root / DATABASE).exists():
            return []
        try:
            with Store.open(root / DATABASE) as store, store.reading() as transaction:
                live = classes.live(transaction)
        except OwclError:
            return []
        words = {
            entry.name if PLAIN_WORD.fullmatch(entry.name) else str(entry.id): f"{entry.id} {entry.status}"
            for entry in live
        }
        return [
            CompletionItem(word, help=about) for word, about in words.items() if word.startswith(incomplete)
        ]


CLASS = ClassName()


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # In a container, a user may have a number alone.
        return f"user {os.getuid()}"


def _printable(context: click.Context, parameter: click.Parameter, who: str) -> str:
    """Return who decides.

    Raises:
        BadInput: if nothing is left of it to be read in the history.
    """
    if not can_sign(who):
        raise BadInput(f"--who {who!r}: it is no name. Printable text on one line is expected.")
    return who


who_option = click.option(
    "--who",
    default=_login,
    show_default="your login",
    callback=_printable,
    help="Who decides, for the history.",
)
