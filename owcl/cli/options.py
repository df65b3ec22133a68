"""Options that several commands share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

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


def with_standard_input(inputs: Iterable[str]) -> Iterator[str]:
    """Yield what was named; `-` stands for the lines of standard input."""
    for named in inputs:
        if named == "-":
            for line in sys.stdin.buffer:
                if path := os.fsdecode(line.rstrip(b"\r\n")):
                    yield path
        else:
            yield named
